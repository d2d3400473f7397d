"""docs/operations.md, followed to the letter on a PostgreSQL that is not ours."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.embedded.postgres import Postgres
from tests.meta.code import ROOT

pytestmark = pytest.mark.xdist_group("operations")


def documented_sql() -> tuple[list[str], list[str]]:
    """The statements for a superuser: those before and those after changing over to the new database."""
    [block] = re.findall(r"^```sql\n(.*?)^```$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE | re.DOTALL)
    # The embedded server has roles and a database of these names already.
    before, after = block.replace("interlock", "documented").split("\\connect documented\n")
    return [s for s in before.split("\n") if s], [s for s in after.split("\n") if s]


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The way to a database that was made as the page says, for both roles."""
    folder = tmp_path_factory.mktemp("postgres")
    postgres = Postgres(folder, log=folder / "log", profile="test")
    server = postgres.start()
    try:
        password = json.loads((folder / "passwords.json").read_text())["postgres"]
        address = f"127.0.0.1:{postgres.port}"
        for database, statements in zip(("postgres", "documented"), documented_sql(), strict=True):
            with psycopg.connect(
                f"postgresql://postgres:{password}@{address}/{database}", autocommit=True
            ) as superuser:
                for statement in statements:
                    superuser.execute(statement)  # type: ignore[arg-type]
        yield {
            "DATABASE_URL": f"postgresql://documented_app:change-me-too@{address}/documented",
            "MIGRATE_DATABASE_URL": f"postgresql://documented_owner:change-me@{address}/documented",
        }
    finally:
        postgres.stop(server)


def manage(urls: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command of `manage.py` there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(
        command,
        cwd="/",
        env=environment | urls | {"INTERLOCK_NO_VENV": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_roles_made_as_documented_migrate_serve_and_are_held_by_row_level_security(urls: dict[str, str]) -> None:
    migrated = manage(urls, "migrate", "--noinput")
    assert migrated.returncode == 0, migrated.stderr
    checked = manage(urls, "check", "--database", "default")
    assert checked.returncode == 0, checked.stderr
    made = manage(urls, "create_team", "acme", "--owner", "ada@example.com", "--project", "web", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["team"] == "acme"
    with psycopg.connect(urls["DATABASE_URL"]) as application:
        assert application.execute("SELECT count(*) FROM tenants_team").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute("CREATE TABLE mine (id int)")


def test_the_owner_is_refused_as_the_role_that_serves(urls: dict[str, str]) -> None:
    manage(urls, "migrate", "--noinput")
    as_owner = urls | {"DATABASE_URL": urls["MIGRATE_DATABASE_URL"]}
    checked = manage(as_owner, "check", "--database", "default")
    assert checked.returncode != 0
    assert "interlock.E002" in checked.stderr


def test_the_sweeps_and_their_periods_are_the_documented_ones() -> None:
    from coordination.tasks import SWEEPS

    text = Path(ROOT / "docs/operations.md").read_text()
    every = "`expiry` and `publication` every 5 seconds, `liveness` every 15, `tidy` every hour"
    assert every in text
    assert {name: period for name, (period, _) in SWEEPS.items()} == {
        "expiry": 5,
        "publication": 5,
        "liveness": 15,
        "tidy": 3600,
    }

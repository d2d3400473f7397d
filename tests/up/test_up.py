"""`python3 manage.py up`, for real: started, crashed, refused, stopped."""

import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from deploy.embedded import process
from deploy.testing import unavailable
from tests.up.launched import Up, all_gone, left_of, manage

pytestmark = [
    pytest.mark.fault,
    pytest.mark.xdist_group("up"),
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: the tests look at processes through /proc"),
]
_SECRETS = {"admin_password", "agent_token"}
_HEAL_SECONDS = 60


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One running platform for all tests that leave it running."""
    started = Up(tmp_path_factory.mktemp("up"))
    yield started
    started.stop()


def test_the_first_line_tells_where_to_go(up: Up) -> None:
    assert set(up.told) == {"url", "team", "project", "admin_email", "mcp_url", "wheel_url"} | _SECRETS
    assert httpx.get(up.told["wheel_url"]).status_code == 200
    assert up.told["mcp_url"] == f"{up.told['url']}/mcp/{up.told['team']}/{up.told['project']}"
    assert up.answers()


def test_everything_else_is_on_standard_error_with_times(up: Up) -> None:
    said = up.errors()
    assert "PostgreSQL is ready" in said
    assert "s] web answers" in said
    assert not [name for name in _SECRETS if up.told[name] in said]


def test_credentials_are_kept_for_the_owner_only(up: Up) -> None:
    path = up.data / "credentials.json"
    assert json.loads(path.read_text()) == up.told
    for name in (
        "credentials.json",
        "secret_key",
        "services.json",
        "postgres/passwords.json",
        "redis/password",
    ):
        assert stat.S_IMODE((up.data / name).stat().st_mode) == 0o600, name


def test_serving_processes_do_not_know_the_owners_password(up: Up) -> None:
    secret = json.loads((up.data / "postgres/passwords.json").read_text())["owner"]
    for name in ("web", "worker", "beat"):
        surroundings = Path(f"/proc/{up.children()[name]}/environ").read_bytes().decode()
        assert "DATABASE_URL=postgresql://interlock_app:" in surroundings
        assert secret not in surroundings


def test_a_second_one_on_the_same_data_is_refused(up: Up) -> None:
    second = manage("up", "--port", "0", "--data", str(up.data))
    assert (second.returncode, second.stdout) == (3, "")
    assert f"already running at {up.told['url']} (process {up.process.pid})" in second.stderr
    assert up.answers()


def test_a_busy_port_is_named_with_who_has_it(up: Up, tmp_path: Path) -> None:
    port = up.told["url"].rsplit(":", 1)[1]
    refused = manage("up", "--port", port, "--data", str(tmp_path / "other"))
    assert refused.returncode == 2
    assert f"port {port} is taken by process" in refused.stderr
    assert "--port" in refused.stderr
    assert not (tmp_path / "other/postgres").exists()


def test_other_commands_find_the_running_services(up: Up) -> None:
    done = manage("migrate", "--check", INTERLOCK_DATA_DIR=str(up.data))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["web", "worker", "beat", "redis", "postgres"])
def test_what_is_killed_comes_back(up: Up, name: str) -> None:
    before = up.children()[name]
    os.kill(before, signal.SIGKILL)
    assert process.wait_until(lambda: up.children().get(name, before) != before, _HEAL_SECONDS)
    assert process.wait_until(up.answers, _HEAL_SECONDS)
    assert f"{name} was killed by SIGKILL; starting it again" in up.errors()


def test_killed_and_stopped_it_goes_on_with_its_data(tmp_path: Path) -> None:
    first = Up(tmp_path)
    first.process.kill()
    first.stop()
    second = Up(tmp_path)
    assert {name: second.told[name] for name in ("team", "project", "admin_email")} == {
        name: first.told[name] for name in ("team", "project", "admin_email")
    }
    assert not _SECRETS & set(second.told)
    kept = json.loads((tmp_path / "credentials.json").read_text())
    assert kept == first.told | second.told
    assert second.stop(signal.SIGINT) == 0
    assert "stopped cleanly" in second.errors()
    assert all_gone(tmp_path)
    assert not (tmp_path / "services.json").exists()
    assert "database system is shut down" in (tmp_path / "logs/postgres.log").read_text()


def test_a_killed_supervisor_leaves_nobody_behind(tmp_path: Path) -> None:
    up = Up(tmp_path)
    assert len(left_of(tmp_path)) >= 5
    up.process.kill()
    up.stop()
    assert all_gone(tmp_path)


def test_an_ordinary_user_can_run_it(tmp_path: Path, as_ordinary_user: list[str]) -> None:
    if not as_ordinary_user:
        unavailable("root", "every other test of this file already ran as an ordinary user")
    up = Up(tmp_path, prefix=as_ordinary_user)
    assert up.answers()
    assert (tmp_path / "postgres/mode").read_text().strip() == "own"
    assert up.stop() == 0
    assert all_gone(tmp_path)


def test_services_of_your_own_are_used_and_nothing_is_embedded(up: Up, tmp_path: Path) -> None:
    services = json.loads((up.data / "services.json").read_text())
    with psycopg.connect(services["MIGRATE_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE of_your_own")
    urls = {
        name: services[name].removesuffix("/interlock") + "/of_your_own"
        for name in ("DATABASE_URL", "MIGRATE_DATABASE_URL")
    }
    urls["REDIS_URL"] = services["REDIS_URL"]
    own = Up(tmp_path, **urls, SECRET_KEY="given", BASE_URL="http://interlock.example")
    assert own.told["mcp_url"].startswith("http://interlock.example/mcp/")
    assert set(own.children()) == {"web", "worker", "beat"}
    assert own.stop() == 0
    assert not {"postgres", "redis", "credentials.json", "secret_key"} & {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["--port", "http"], {}, "a number from 0 to 65535"),
        (["--port", "65536"], {}, "a number from 0 to 65535"),
        (["extra"], {}, "unrecognized arguments"),
        (
            [],
            {"DATABASE_URL": "postgresql://a@b/c"},
            "set that, too, to the URL of the role that owns the schema",
        ),
        ([], {"MIGRATE_DATABASE_URL": "postgresql://a@b/c"}, "set both or none"),
        ([], {"INTERLOCK_WEB_SERVER": "gunicorn"}, "must be uvicorn or daphne"),
        ([], {"INTERLOCK_WEB_PROCESSES": "0"}, "must be a number from 1 to 64"),
        (["--host", "no.such.host.invalid"], {}, "check --host"),
    ],
)
def test_wrong_use_is_answered_with_the_way_out(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], said: str
) -> None:
    refused = manage("up", "--data", str(tmp_path), *arguments, **variables)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in " ".join(refused.stderr.split())


def test_help_tells_everything(tmp_path: Path) -> None:
    shown = manage("up", "--help")
    assert shown.returncode == 0
    for word in ("--port", "--data", "--json", "MIGRATE_DATABASE_URL", "exit codes"):
        assert word in shown.stdout


def test_a_schema_that_cannot_be_made_is_told_with_the_log(up: Up, tmp_path: Path) -> None:
    services = json.loads((up.data / "services.json").read_text())
    nowhere = services["DATABASE_URL"].removesuffix("/interlock") + "/not_there"
    failed = manage(
        *("up", "--port", "0", "--data", str(tmp_path)),
        DATABASE_URL=nowhere,
        MIGRATE_DATABASE_URL=nowhere,
        REDIS_URL=services["REDIS_URL"],
    )
    assert failed.returncode == 1
    assert 'database "not_there" does not exist' in failed.stderr
    assert "migrate.log" in failed.stderr


def test_two_web_processes_share_one_port(tmp_path: Path) -> None:
    up = Up(tmp_path, INTERLOCK_WEB_PROCESSES="2")
    assert up.answers()
    assert len([line for line in left_of(tmp_path) if "uvicorn" in line]) == 2
    with socket.create_connection(("127.0.0.1", int(up.told["url"].rsplit(":", 1)[1]))):
        assert up.stop() == 0
    assert all_gone(tmp_path)

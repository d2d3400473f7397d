"""Making teams: from the service, from the operator's command, and the first one of a deployment."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tenants.auth import principal_for_person, principal_for_token, teams_of
from tenants.models import Person
from tenants.names import RESERVED_TEAMS
from tenants.permissions import PRESETS
from tenants.problems import Code, Problem
from tenants.selectors.teams import team_get
from tenants.services.teams import team_create
from tests.tenants.people import make_person

ROOT = Path(__file__).resolve().parents[2]


def fresh_slug() -> str:
    return "t-" + secrets.token_hex(6)


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_team_has_its_maker_as_owner():
    person, slug = make_person("Olive"), fresh_slug()
    assert team_create(name="  Acme ", slug=slug, owner=person)["name"] == "Acme"
    [team] = teams_of(person.pk)
    assert (team["slug"], team["role"]) == (slug, "owner")
    assert team_get(principal_for_person(person, slug))["slug"] == slug


def test_taken_reserved_and_bad_names_are_refused():
    person, slug = make_person(), fresh_slug()
    team_create(name="x", slug=slug, owner=person)
    with pytest.raises(Problem) as caught:
        team_create(name="x", slug=slug, owner=make_person())
    assert caught.value.code == Code.ALREADY_EXISTS
    for bad in (*sorted(RESERVED_TEAMS)[:5], "api", "t", "", "A", "a--", "x" * 41, "a\x00"):
        with pytest.raises(Problem) as caught:
            team_create(name="x", slug=bad, owner=person)
        assert caught.value.errors[0].field == "slug"
    assert len(teams_of(person.pk)) == 1


def test_every_first_part_of_our_addresses_is_reserved():
    from deploy.urls import urlpatterns

    def words(patterns):
        for pattern in patterns:
            text = str(pattern.pattern).lstrip("^")
            if text:
                yield text.split("/")[0]
            else:
                yield from words(getattr(pattern, "url_patterns", ()))

    assert {word for word in words(urlpatterns) if word.isascii() and word.replace("-", "").isalnum()} <= RESERVED_TEAMS


def test_the_operators_command_makes_team_project_and_person_or_nothing():
    slug, email = fresh_slug(), f"op-{secrets.token_hex(5)}@example.com"
    done = command("create_team", slug, "--owner", email, "--name", "Ops", "--project", "web", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    person = Person.objects.get(email=email)
    assert person.check_password(made["owner_password"])
    assert principal_for_person(person, slug).team_slug == slug
    again = command("create_team", slug, "--owner", f"x{email}")
    assert again.returncode == 1 and "already" in again.stderr and "Traceback" not in again.stderr
    assert not Person.objects.filter(email=f"x{email}").exists()
    second = command("create_team", fresh_slug(), "--owner", email, "--json")
    assert "owner_password" not in json.loads(second.stdout)  # they have one


@pytest.fixture
def empty_deployment():
    """A migrated database of its own, with no team in it; the environment that leads there."""
    name = f"boot_{secrets.token_hex(6)}"
    owner = os.environ["MIGRATE_DATABASE_URL"]
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    there = {
        variable: os.environ[variable].rsplit("/", 1)[0] + f"/{name}"
        for variable in ("DATABASE_URL", "MIGRATE_DATABASE_URL")
    }
    done = command("migrate", "--verbosity", "0", INTERLOCK_DATABASE_ROLE="owner", **there)
    assert done.returncode == 0, done.stderr
    yield there
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.race
def test_the_first_team_is_made_once_also_when_several_processes_start_at_once(empty_deployment):
    bad = command("bootstrap_team", BOOTSTRAP_EMAIL="not an address", **empty_deployment)
    assert bad.returncode == 1 and "e-mail" in bad.stderr and "Traceback" not in bad.stderr
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "django", "bootstrap_team", "--json"],
            cwd=ROOT,
            env=os.environ | empty_deployment | {"BOOTSTRAP_EMAIL": "first@example.com"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    answers = []
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        answers.append(json.loads(out))
    answers.append(json.loads(command("bootstrap_team", "--json", **empty_deployment).stdout))
    names = {"team": "demo", "project": "main", "admin_email": "first@example.com"}
    [made] = [answer for answer in answers if answer["created"]]
    assert made.keys() == {*names, "created", "admin_password", "agent_token"}
    assert [answer for answer in answers if not answer["created"]] == [names | {"created": False}] * 3
    with psycopg.connect(empty_deployment["MIGRATE_DATABASE_URL"]) as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM tenants_team), (SELECT count(*) FROM tenants_project),"
            " (SELECT count(*) FROM tenants_repository WHERE is_default), (SELECT count(*) FROM tenants_token),"
            " (SELECT count(*) FROM tenants_person), (SELECT count(*) FROM tenants_membership WHERE role = 'owner')"
        ).fetchone()
        assert counts == (1,) * 6
        row = connection.execute("SELECT password FROM tenants_person").fetchone()
        granted = connection.execute("SELECT permissions, project_id IS NOT NULL FROM tenants_token").fetchone()
    from django.contrib.auth.hashers import check_password

    assert check_password(made["admin_password"], row[0])
    assert (set(granted[0]), granted[1]) == ({str(item) for item in PRESETS["agent"]}, True)
    with pytest.raises(Problem):
        principal_for_token(made["agent_token"])  # it belongs to that deployment, not to this one

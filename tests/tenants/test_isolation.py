"""The three nets of tenancy (architecture.md, "Tenancy"), each tried by itself and with the others cut away."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from psycopg import errors, sql

from deploy.testing import unavailable
from tenants import ids, isolation, ledger
from tenants.db import teamless, transaction
from tenants.models import Membership, Project, Repository, Team, TenantForeignKey, TenantModel, Token
from tenants.problems import Code, Problem
from tenants.scope import NoScopeError, scope
from tenants.selectors.projects import project_get, project_resolve
from tenants.selectors.tokens import token_get
from tenants.services.tokens import token_create
from tests.making import make_place
from tests.tenants.people import as_app, as_owner, make_team

ROOT = Path(__file__).resolve().parents[2]
TABLES = [model._meta.db_table for model in isolation.tenant_models()]


def enter(connection: psycopg.Connection, team_id: object) -> None:
    connection.execute("SELECT set_config('interlock.team', %s, true)", [str(team_id)])


def count(connection: psycopg.Connection, table: str, where: str = "true", *values: object) -> int:
    query = sql.SQL("SELECT count(*) FROM {} WHERE " + where).format(sql.Identifier(table))
    return connection.execute(query, values).fetchone()[0]


# Net 3: the database


@pytest.mark.parametrize("table", [*TABLES, "tenants_team"])
def test_raw_sql_without_a_team_sees_no_row_of_any_tenant_table(table):
    make_place()
    with as_app() as connection:
        assert count(connection, table) == 0


def test_raw_sql_in_one_team_sees_that_team_and_nothing_of_another():
    mine, theirs = make_place(), make_place()
    theirs.token()
    with as_app() as connection:
        enter(connection, mine.team_id)
        assert count(connection, "tenants_project") == 1
        assert count(connection, "tenants_team") == 1
        for table in TABLES:
            assert count(connection, table, "team_id = %s", theirs.team_id) == 0, table
        # An update or delete that forgot its filter reaches nobody else either.
        assert connection.execute("UPDATE tenants_project SET name = 'mine'").rowcount == 1
        assert connection.execute("DELETE FROM tenants_token").rowcount == 0
        connection.rollback()
    with as_owner() as connection:
        assert count(connection, "tenants_token", "team_id = %s", theirs.team_id) == 1


def test_a_row_for_another_team_cannot_be_written_or_moved():
    mine, theirs = make_place(), make_place()
    insert = (
        "INSERT INTO tenants_repository (id, team_id, project_id, slug, remote, default_branch, case_insensitive,"
        " is_default, version, created_at) VALUES (%s, %s, %s, 'x', '', 'main', false, false, 1, now())"
    )
    with as_app() as connection:
        enter(connection, mine.team_id)
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(insert, [ids.new_id(), theirs.team_id, theirs.project_id])
        connection.rollback()
        enter(connection, mine.team_id)
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            connection.execute("UPDATE tenants_project SET team_id = %s", [theirs.team_id])


def test_a_reference_into_another_team_is_refused_although_integrity_checks_bypass_row_security():
    mine, theirs = make_place(), make_place()
    with as_app() as connection:
        enter(connection, mine.team_id)
        connection.execute(
            "UPDATE tenants_repository SET project_id = %s WHERE id = %s", [theirs.project_id, mine.repository_id]
        )
        with pytest.raises(errors.ForeignKeyViolation):
            connection.commit()


def test_the_applications_role_owns_nothing_and_cannot_bypass_row_security():
    with as_app() as connection:
        role = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
        owned = connection.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = current_user"
        ).fetchone()
        assert (role, owned) == ((False,) * 5, (0,))
        for statement in (
            "ALTER TABLE tenants_project DISABLE ROW LEVEL SECURITY",
            "DROP POLICY team_only ON tenants_project",
            "CREATE TABLE stash (x int)",
            f"SET ROLE {psycopg.conninfo.conninfo_to_dict(os.environ['MIGRATE_DATABASE_URL'])['user']}",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.rollback()


@pytest.mark.parametrize("model", list(isolation.tenant_models()), ids=lambda model: model.__name__)
def test_every_tenant_table_has_policy_unique_key_and_composite_references(model):
    table = model._meta.db_table
    with as_owner() as connection:
        secured, policies = connection.execute(
            "SELECT c.relrowsecurity, array(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid"
            " AND p.polpermissive AND p.polcmd = '*') FROM pg_class c WHERE c.oid = %s::regclass",
            [table],
        ).fetchone()
        keys = connection.execute(
            "SELECT con.contype, con.confrelid::regclass::text, array(SELECT a.attname::text FROM unnest(con.conkey)"
            " WITH ORDINALITY k(n, i) JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.n"
            " ORDER BY k.i) FROM pg_constraint con WHERE con.conrelid = %s::regclass AND con.contype IN ('u', 'f')",
            [table],
        ).fetchall()
    assert secured and policies == ["team_only"]
    assert ("u", "-", ["team_id", "id"]) in keys
    inside = {(target, tuple(columns)) for kind, target, columns in keys if kind == "f" and target in TABLES}
    wanted = {
        (field.remote_field.model._meta.db_table, ("team_id", field.column))
        for field in model._meta.local_fields
        if isinstance(field, TenantForeignKey)
    }
    assert inside == wanted  # every one composite, and none beside them


def test_no_table_with_a_team_is_outside_the_nets():
    """A model that forgot to be a TenantModel, or a table made by hand, would be found here."""
    with as_owner() as connection:
        found = connection.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name IN ('team_id', 'project_id')"
        ).fetchall()
    assert {name for (name,) in found} == set(TABLES)
    for model in apps.get_models():
        for field in model._meta.local_fields:
            target = field.related_model
            if isinstance(target, type) and issubclass(target, TenantModel):
                assert isinstance(field, TenantForeignKey), f"{model.__name__}.{field.name}"


def test_functions_that_see_past_row_security_are_pinned_down():
    """SECURITY DEFINER without a fixed search_path, or open to PUBLIC, would be a way round the net."""
    with as_owner() as connection:
        functions = connection.execute(
            "SELECT p.proname, p.prosecdef, coalesce(p.proconfig, '{}'), has_function_privilege('public', p.oid,"
            " 'EXECUTE') FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public'"
        ).fetchall()
    definers = {name: (config, public) for name, definer, config, public in functions if definer}
    assert "interlock_token" in definers
    for name, (config, public) in definers.items():
        assert config == ["search_path=pg_catalog, public"] and not public, name
        assert name.startswith("interlock_")


# The ledger is append-only for the application


@pytest.fixture
def event(monkeypatch):
    """A place with one published and one unpublished event; (place, published id, unpublished id)."""
    monkeypatch.setattr(ledger, "listeners", [])  # nobody publishes unless we do
    place, owner = make_team()
    with transaction(place.team_id) as tx:
        ledger.append(tx, owner, [ledger.Fact("test.one", "test", "1")], project_id=place.project_id)
    ledger.publish(place.team_id, place.project_id)
    with transaction(place.team_id) as tx:
        ledger.append(tx, owner, [ledger.Fact("test.two", "test", "2")], project_id=place.project_id)
    with as_owner() as connection:
        query = "SELECT id FROM tenants_event WHERE project_id = %s AND seq IS {} NULL"
        published = connection.execute(query.format("NOT"), [place.project_id]).fetchone()[0]
        waiting = connection.execute(query.format(""), [place.project_id]).fetchone()[0]
    return place, published, waiting


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants_event SET type = 'forged' WHERE id = %s",
        "UPDATE tenants_event SET data = '{}', seq = 9 WHERE id = %s",
        "DELETE FROM tenants_event WHERE id = %s",
        "TRUNCATE tenants_event",
        "SELECT 1 FROM tenants_event WHERE id = %s FOR UPDATE OF tenants_event NOWAIT; DELETE FROM tenants_event",
    ],
)
def test_events_cannot_be_changed_or_removed(event, statement):
    place, published, _ = event
    with as_app() as connection:
        enter(connection, place.team_id)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement.replace("%s", str(published)))


def test_a_number_is_given_once_and_stays(event):
    place, published, waiting = event
    renumber = "UPDATE tenants_event SET seq = 77 WHERE id = %s"
    with as_app() as connection:
        enter(connection, place.team_id)
        assert connection.execute(renumber, [published]).rowcount == 0
        assert connection.execute(renumber, [waiting]).rowcount == 1
        connection.rollback()


# Net 2: the scope


@pytest.mark.parametrize("model", list(isolation.tenant_models()), ids=lambda model: model.__name__)
def test_no_tenant_model_answers_without_a_scope(model):
    for manager in (model.objects, model._base_manager, model._default_manager):
        with pytest.raises(NoScopeError):
            manager.all()
        with pytest.raises(NoScopeError):
            manager.filter(pk=None).exists()
        with pytest.raises(NoScopeError):
            manager.bulk_create([])


def test_a_related_row_does_not_answer_without_a_scope():
    place = make_place()
    with transaction(place.team_id):
        repository = Repository.objects.get(id=place.repository_id)
        assert repository.project.slug == "main"
        again = Repository.objects.get(id=place.repository_id)
    with pytest.raises(NoScopeError):
        _ = again.project
    with pytest.raises(NoScopeError):
        again.refresh_from_db()
    with pytest.raises(NoScopeError):
        again.save()
    with pytest.raises(NoScopeError):
        again.delete()


def test_a_row_of_another_team_cannot_be_saved():
    mine, theirs = make_place(), make_place()
    with transaction(mine.team_id), pytest.raises(ValueError, match="another team"):
        Project.objects.create(team_id=theirs.team_id, slug="x", name="x")


def test_the_scope_alone_filters_where_row_security_would_not():
    """Net 2 with net 3 cut away: the setting of another team is on, the scope is ours."""
    mine, theirs = make_place(), make_place()
    with transaction(theirs.team_id), scope(mine.team_id):
        assert not Project.objects.exists()


def test_row_security_alone_filters_where_the_scope_would_not():
    """Net 3 with net 2 cut away: no scope asked for, and nothing comes."""
    make_place()
    with teamless(reason="test"):
        assert not Project.objects.exists()
        assert not Team.objects.exists()


def test_one_team_after_another_on_one_thread_leaves_nothing_behind():
    """The connection is the same; scope and setting of the first team are gone, also after an error."""
    first, second = make_place(), make_place()
    with transaction(first.team_id):
        assert Project.objects.get().id == first.project_id
    with pytest.raises(KeyError), transaction(first.team_id):
        raise KeyError
    with pytest.raises(NoScopeError):
        Project.objects.exists()
    with teamless(reason="test") as cursor:
        assert cursor.execute("SELECT current_setting('interlock.team', true) AS team").fetchone()["team"] in ("", None)
    with transaction(second.team_id):
        assert Project.objects.get().id == second.project_id
        with pytest.raises(RuntimeError, match="another team"), transaction(first.team_id):
            raise AssertionError("unreachable")
        assert Project.objects.get().id == second.project_id


# Net 1: the signature


def test_foreign_and_absent_give_the_same_answer():
    mine, theirs = make_team(), make_team()
    foreign = token_create(theirs[1], name="theirs", preset="agent")["id"]
    absent = ids.show("tok", ids.new_id())
    told = []
    for token in (foreign, absent, "tok_" + "z" * 26, "nonsense", ""):
        with pytest.raises(Problem) as caught:
            token_get(mine[1], token)
        told.append((caught.value.code, caught.value.detail))
    assert set(told) == {(Code.NOT_FOUND, "There is no such token here.")}


def test_a_project_is_found_only_by_its_own_team_and_by_a_credential_bound_to_it():
    (mine, me), (theirs, them) = make_team(), make_team()
    with transaction(mine.team_id):
        other = Project.objects.create(team_id=mine.team_id, slug="only-mine", name="x")
    assert project_get(me, "only-mine")["slug"] == "only-mine"
    for principal, slug in (
        (them, "only-mine"),
        (me, "absent"),
        (me, "nul\x00"),
        (me.acting(project_id=theirs.project_id), "main"),
        (me.acting(project_id=other.id), "main"),
    ):
        for ask in (project_get, project_resolve):
            with pytest.raises(Problem) as caught:
                ask(principal, slug)
            assert caught.value.code == Code.NOT_FOUND
    assert project_resolve(me.acting(project_id=other.id), "only-mine").id == other.id


# What keeps the nets whole


def test_every_way_round_the_scope_is_known():
    """``unscoped`` and ``teamless`` are the only ways round net 2: a new use must be argued for here."""
    uses = Counter(
        (str(path.relative_to(ROOT)), name)
        for app in ("tenants", "coordination", "dashboard", "mcp_gateway", "deploy")
        for path in (ROOT / app).rglob("*.py")
        for name in re.findall(r"(?<!def )\b(unscoped|teamless)\((?!reason=\.\.\.)", path.read_text())
    )
    assert uses == {
        ("tenants/db.py", "unscoped"): 1,  # inside teamless
        ("tenants/auth.py", "teamless"): 2,  # a token, or a person's teams, before a team is known
        ("tenants/services/teams.py", "teamless"): 1,  # is a team's slug taken
        ("tenants/ledger.py", "teamless"): 1,  # the publisher's backstop
        ("tenants/idempotency.py", "teamless"): 1,  # the tidying sweep's work list
        ("coordination/notify.py", "teamless"): 1,  # a wake carries keys, no data
        ("coordination/store/sweeps.py", "teamless"): 3,  # work lists, and when a sweep ran
        ("coordination/api/health.py", "teamless"): 1,  # does the database answer
    }


def checked(url: str) -> set[str]:
    """Ids of the errors ``manage.py check`` finds when the server would run under that URL."""
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--database", "default"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    found = set(re.findall(r"interlock\.E\d+", done.stderr))
    assert (done.returncode == 0) == (not found), done.stderr
    return found


def test_the_server_refuses_to_start_as_a_role_that_owns_tables():
    assert checked(os.environ["DATABASE_URL"]) == set()
    assert checked(os.environ["MIGRATE_DATABASE_URL"]) == {"interlock.E002"}


def test_the_server_refuses_to_start_as_a_role_that_bypasses_row_security():
    passwords = Path(os.environ.get("INTERLOCK_DATA_DIR", "none"), "postgres", "passwords.json")
    if not passwords.exists():
        unavailable("a superuser's password", "run the suite with the embedded Postgres")
    parts = psycopg.conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])
    secret = json.loads(passwords.read_text())["postgres"]
    url = f"postgresql://postgres:{secret}@{parts['host']}:{parts['port']}/{parts['dbname']}"
    assert "interlock.E001" in checked(url)


def test_deleting_all_of_something_takes_ones_own_rows_only():
    mine, theirs = make_team(), make_team()
    token_create(mine[1], name="t", preset="agent", project="main")
    with transaction(mine[0].team_id):
        for model in (Token, Repository, Membership):
            model.objects.all().delete()
            assert not model.objects.exists()
    with transaction(theirs[0].team_id):
        assert (Repository.objects.count(), Membership.objects.count()) == (1, 1)

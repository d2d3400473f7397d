"""The third isolation net, put on every tenant table after each migration, whatever app it belongs to.

Generated from the models, so a new tenant model cannot forget it: row-level security, a unique key over
``(team_id, id)``, composite foreign keys inside the team, and the grants of the application's role, which owns
nothing. Everything here may run again at any time. ADR 0003 gives the reasons.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from psycopg import sql

from tenants.models import Event, Team, TenantForeignKey, TenantModel

_TEAM = sql.SQL("(SELECT nullif(current_setting('interlock.team', true), '')::uuid)")
# Tables the application's role may only read and add to (and set `seq` of an unpublished event).
APPEND_ONLY: tuple[type[TenantModel], ...] = (Event,)


def tenant_models() -> Iterator[type[Model]]:
    """Every concrete model whose rows belong to one team, in a stable order."""
    yield from sorted((m for m in apps.get_models() if issubclass(m, TenantModel)), key=lambda m: str(m._meta.db_table))


def after_migrate(using: str = "default", **_: Any) -> None:
    """post_migrate hook: runs as the owner of the tables, else does nothing."""
    if not settings.AS_OWNER:
        return
    # One transaction: no moment in which a grant is wider than it ends up.
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        tables = set(connections[using].introspection.table_names(cursor))
        models = [m for m in tenant_models() if m._meta.db_table in tables]
        if Team._meta.db_table not in tables or len(models) < len(list(tenant_models())):
            return  # an earlier app's signal: wait for the last one
        apply(cursor, models)


def apply(cursor: CursorWrapper, models: list[type[Model]]) -> None:
    """Put the whole net on."""
    role = sql.Identifier(settings.APP_DATABASE_ROLE)
    _run(cursor, "GRANT USAGE ON SCHEMA public TO {role}", role=role)
    _run(cursor, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}", role=role)
    _run(cursor, "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}", role=role)
    _run(cursor, "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}", role=role)
    _secure(cursor, Team._meta.db_table, column="id")
    for model in models:
        _secure(cursor, model._meta.db_table)
        _unique_key(cursor, model._meta.db_table)
        _expect_large_teams(cursor, model)
    for model in models:
        for field in model._meta.local_fields:
            if isinstance(field, TenantForeignKey):
                _reference(cursor, model._meta.db_table, field)
    for model in APPEND_ONLY:
        _append_only(cursor, model._meta.db_table, role)
    _functions(cursor, role)


def _run(cursor: CursorWrapper, statement: str, **names: sql.Composable) -> None:
    cursor.execute(sql.SQL(statement).format(**names).as_string(cursor.connection))


def _secure(cursor: CursorWrapper, table: str, column: str = "team_id") -> None:
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column), "team": _TEAM}
    _run(cursor, "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY", **names)
    _run(cursor, "DROP POLICY IF EXISTS team_only ON {table}", **names)
    _run(
        cursor,
        "CREATE POLICY team_only ON {table} USING ({column} = {team}) WITH CHECK ({column} = {team})",
        **names,
    )


def _constraint(cursor: CursorWrapper, table: str, name: str, definition: str, **names: sql.Composable) -> None:
    cursor.execute("SELECT 1 FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s", [table, name])
    if not cursor.fetchone():
        statement = "ALTER TABLE {table} ADD CONSTRAINT {name} " + definition
        _run(cursor, statement, table=sql.Identifier(table), name=sql.Identifier(name), **names)


def _unique_key(cursor: CursorWrapper, table: str) -> None:
    _constraint(cursor, table, f"{table[:45]}_team_id_key", "UNIQUE (team_id, id)")


def _expect_large_teams(cursor: CursorWrapper, model: type[Model]) -> None:
    """Have prepared statements planned for a team and a project that own a good part of a table.

    Their plans are made for the average team. Among thousands of small ones that is a handful of rows, so a plan that
    reads the whole team and filters looks as cheap as one by id; for the one large team it is thousands of times
    slower (tests/services/test_plans.py).
    """
    for column in ("team_id", "project_id"):
        if any(field.column == column for field in model._meta.local_fields):
            names = {"table": sql.Identifier(model._meta.db_table), "column": sql.Identifier(column)}
            _run(cursor, "ALTER TABLE {table} ALTER COLUMN {column} SET (n_distinct = 10)", **names)


def _reference(cursor: CursorWrapper, table: str, field: TenantForeignKey) -> None:
    target = field.remote_field.model._meta.db_table
    _constraint(
        cursor,
        table,
        f"{table[:30]}_{field.column[:20]}_in_team",
        "FOREIGN KEY (team_id, {column}) REFERENCES {target} (team_id, id) DEFERRABLE INITIALLY DEFERRED",
        column=sql.Identifier(field.column),
        target=sql.Identifier(target),
    )


def _append_only(cursor: CursorWrapper, table: str, role: sql.Identifier) -> None:
    names = {"table": sql.Identifier(table), "role": role, "team": _TEAM}
    _run(cursor, "REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", **names)
    _run(cursor, "GRANT UPDATE (seq) ON {table} TO {role}", **names)
    _run(cursor, "DROP POLICY IF EXISTS unpublished_only ON {table}", **names)
    _run(
        cursor,
        "CREATE POLICY unpublished_only ON {table} AS RESTRICTIVE FOR UPDATE USING (seq IS NULL) WITH CHECK (true)",
        **names,
    )


def _functions(cursor: CursorWrapper, role: sql.Identifier) -> None:
    """The few questions that come before there is a team, each a SECURITY DEFINER function."""
    for path in sorted(Path(config.path, "sql", "functions.sql") for config in apps.get_app_configs()):
        if path.exists():
            cursor.execute(path.read_text())
    cursor.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'public' AND p.proname LIKE 'interlock\\_%%'"
    )
    for (signature,) in cursor.fetchall():
        _run(cursor, "REVOKE ALL ON FUNCTION " + signature + " FROM PUBLIC")
        _run(cursor, "GRANT EXECUTE ON FUNCTION " + signature + " TO {role}", role=role)

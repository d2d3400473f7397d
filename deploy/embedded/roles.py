"""The two database roles: one owns the schema and migrates, the other serves and owns nothing.

What the serving role may do with each table is granted after every migration, by ``tenants.isolation``.
"""

import psycopg
from psycopg import sql

OWNER = "interlock_owner"
APP = "interlock_app"
DATABASE = "interlock"


def provision(superuser_dsn: str, *, owner_password: str, app_password: str) -> None:
    """Creates what is missing of roles, database and rights; sets the passwords; harmless when repeated.

    ``superuser_dsn`` leads to a server's ``postgres`` database as a superuser.
    """
    with psycopg.connect(superuser_dsn, autocommit=True) as connection:
        # The owner may create databases, for tools that want a scratch one; nobody bypasses row security.
        _role(connection, OWNER, owner_password, "CREATEDB")
        _role(connection, APP, app_password, "NOCREATEDB")
        owner, app, database = sql.Identifier(OWNER), sql.Identifier(APP), sql.Identifier(DATABASE)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, app))
    with psycopg.connect(superuser_dsn, dbname=DATABASE, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


def _role(connection: "psycopg.Connection[tuple[object, ...]]", name: str, password: str, more: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEROLE NOBYPASSRLS NOREPLICATION {} PASSWORD {}").format(
            sql.SQL("ALTER" if exists else "CREATE"),
            sql.Identifier(name),
            sql.SQL(more),
            sql.Literal(password),
        )
    )

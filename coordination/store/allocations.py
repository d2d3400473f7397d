"""Statements over allocated numbers."""

from uuid import UUID

from tenants.db import Row, Transaction

_SHOWN = """a.id, a.pool, a.number, a.holder_id, a.agent_name, a.host, a.reason, a.created_at, a.released_at,
       r.slug AS repository
FROM coordination_allocation a
LEFT JOIN tenants_repository r ON r.team_id = a.team_id AND r.id = a.repository_id"""


def lock_pool(tx: Transaction, root: UUID) -> None:
    """Hand out one number of a pool at a time."""
    tx.run("SELECT pg_advisory_xact_lock(6, hashtext(%s))", [str(root)])


def taken(tx: Transaction, root: UUID, first: int, last: int) -> list[int]:
    """Numbers of a pool that are held, within a range, rising."""
    rows = tx.run(
        "SELECT number FROM coordination_allocation WHERE team_id = %s AND root = %s AND released_at IS NULL"
        " AND number BETWEEN %s AND %s ORDER BY number",
        [tx.team_id, root, first, last],
    ).fetchall()
    return [row["number"] for row in rows]


def insert(tx: Transaction, names: Row) -> None:
    """A new allocation; ``names`` holds every column but team and time."""
    columns = ", ".join(names)
    values = ", ".join(f"%({name})s" for name in names)
    tx.run(
        f"INSERT INTO coordination_allocation (team_id, created_at, {columns})"
        f" VALUES (%(team)s, clock_timestamp(), {values})",
        names | {"team": tx.team_id},
    )


def find(tx: Transaction, project_id: UUID, allocation_id: UUID) -> Row | None:
    """One allocation."""
    return tx.run(
        f"SELECT {_SHOWN} WHERE a.team_id = %s AND a.project_id = %s AND a.id = %s",
        [tx.team_id, project_id, allocation_id],
    ).fetchone()


def listed(tx: Transaction, project_id: UUID, *, pool: str | None, before: UUID | None, limit: int) -> list[Row]:
    """Held allocations of a project, newest first."""
    return tx.run(
        f"""SELECT {_SHOWN} WHERE a.team_id = %(team)s AND a.project_id = %(project)s AND a.released_at IS NULL
        AND (%(pool)s::text IS NULL OR a.pool = %(pool)s)
        AND (%(before)s::uuid IS NULL OR a.id < %(before)s) ORDER BY a.id DESC LIMIT %(limit)s""",
        {"team": tx.team_id, "project": project_id, "pool": pool, "before": before, "limit": limit},
    ).fetchall()


def release(tx: Transaction, allocation_id: UUID) -> bool:
    """Give a number back; whether it was still held."""
    row = tx.run(
        "UPDATE coordination_allocation SET released_at = clock_timestamp()"
        " WHERE team_id = %s AND id = %s AND released_at IS NULL RETURNING id",
        [tx.team_id, allocation_id],
    ).fetchone()
    return row is not None

"""Statements over the queue of waiting requests."""

from collections.abc import Sequence
from uuid import UUID

from coordination.engine.locks import LockKey
from tenants.db import Row, Transaction

_INSERT = """
INSERT INTO coordination_queueentry (id, team_id, project_id, holder_id, instance_id, arrival, state, mode, urgency,
                                     scopes, request, enqueued_at, deadline, waiter_until, keep, ended_why, lock_keys,
                                     lock_exclusive)
VALUES (%(id)s, %(team)s, %(project)s, %(holder)s, %(instance)s, nextval('coordination_arrival'), 'waiting', %(mode)s,
        %(urgency)s, %(scopes)s, %(request)s, clock_timestamp(),
        clock_timestamp() + make_interval(secs => %(deadline)s),
        CASE WHEN %(held)s THEN clock_timestamp() + make_interval(secs => %(waiter)s) END, %(keep)s, '', %(keys)s,
        %(exclusive)s)
RETURNING arrival
"""


def insert(tx: Transaction, names: Row) -> int:
    """A new waiting entry; its place in the order of arrival."""
    row = tx.run(_INSERT, names | {"team": tx.team_id}).fetchone()
    assert row is not None
    return int(row["arrival"])


_SHOWN = """q.id, q.holder_id, q.instance_id, q.arrival, q.state, q.mode, q.urgency, q.scopes, q.request, q.enqueued_at,
       q.deadline, q.waiter_until, q.keep, q.claim_id, q.ended_why, h.agent_name, h.tool, h.lane, h.status, h.last_seen,
       extract(epoch FROM clock_timestamp() - q.enqueued_at)::float AS waited,
       q.deadline <= clock_timestamp() AS overdue,
       q.waiter_until IS NOT NULL AND q.waiter_until <= clock_timestamp() AS waiter_dead
FROM coordination_queueentry q
JOIN coordination_instance h ON h.team_id = q.team_id AND h.id = q.holder_id"""


def find(tx: Transaction, project_id: UUID, entry_id: UUID, *, lock: bool = False) -> Row | None:
    """One entry as it is shown; ``lock`` holds its row until the transaction ends."""
    statement = f"SELECT {_SHOWN} WHERE q.team_id = %s AND q.project_id = %s AND q.id = %s"
    if lock:
        statement += " FOR NO KEY UPDATE OF q"
    return tx.run(statement, [tx.team_id, project_id, entry_id]).fetchone()


def waiting(
    tx: Transaction,
    project_id: UUID,
    *,
    ids: Sequence[UUID] | None = None,
    holders: Sequence[UUID] | None = None,
) -> list[Row]:
    """Waiting entries of a project (some, or those of some holders), by arrival."""
    return tx.run(
        f"""SELECT {_SHOWN}
        WHERE q.team_id = %(team)s AND q.project_id = %(project)s AND q.state = 'waiting'
          AND (%(ids)s::uuid[] IS NULL OR q.id = ANY(%(ids)s))
          AND (%(holders)s::uuid[] IS NULL OR q.holder_id = ANY(%(holders)s))
        ORDER BY q.arrival""",
        {
            "team": tx.team_id,
            "project": project_id,
            "ids": None if ids is None else list(ids),
            "holders": None if holders is None else list(holders),
        },
    ).fetchall()


def listed(tx: Transaction, project_id: UUID, *, state: str | None, after: int, limit: int) -> list[Row]:
    """Entries of a project by arrival, after one."""
    return tx.run(
        f"""SELECT {_SHOWN} WHERE q.team_id = %(team)s AND q.project_id = %(project)s
        AND (%(state)s::text IS NULL OR q.state = %(state)s) AND q.arrival > %(after)s
        ORDER BY q.arrival LIMIT %(limit)s""",
        {"team": tx.team_id, "project": project_id, "state": state, "after": after, "limit": limit},
    ).fetchall()


_END = """
WITH ended AS (
    UPDATE coordination_queueentry q SET state = %(state)s, ended_at = clock_timestamp(), ended_why = %(why)s,
           claim_id = %(claim)s
    WHERE q.team_id = %(team)s AND q.id = ANY(%(ids)s) AND q.state = 'waiting' RETURNING q.id
), freed AS (
    UPDATE coordination_ground g SET active = false FROM ended
    WHERE g.team_id = %(team)s AND g.entry_id = ended.id RETURNING 1
)
SELECT id, (SELECT count(*) FROM freed) FROM ended
"""


def end(tx: Transaction, ids: Sequence[UUID], *, state: str, why: str = "", claim_id: UUID | None = None) -> list[UUID]:
    """Take entries out of the queue; the ids that were still waiting."""
    names = {"team": tx.team_id, "ids": list(ids), "state": state, "why": why, "claim": claim_id}
    return [row["id"] for row in tx.run(_END, names).fetchall()]


def set_waiter(tx: Transaction, entry_id: UUID, *, seconds: int | None) -> None:
    """Say that a connection is held for this entry from now on, or (None) that there is none."""
    tx.run(
        "UPDATE coordination_queueentry SET waiter_until = CASE WHEN %(seconds)s::int IS NOT NULL"
        " THEN clock_timestamp() + make_interval(secs => %(seconds)s::int) END"
        " WHERE team_id = %(team)s AND id = %(id)s AND state = 'waiting'",
        {"team": tx.team_id, "id": entry_id, "seconds": seconds},
    )


def renew_waiters(tx: Transaction, ids: Sequence[UUID], *, seconds: int) -> None:
    """Renew the waiters of one process in one statement."""
    tx.run(
        "UPDATE coordination_queueentry SET waiter_until = clock_timestamp() + make_interval(secs => %s)"
        " WHERE team_id = %s AND id = ANY(%s) AND state = 'waiting' AND waiter_until IS NOT NULL",
        [seconds, tx.team_id, list(ids)],
    )


def count_waiting(tx: Transaction, project_id: UUID, holder_id: UUID) -> int:
    """How many entries a holder has waiting."""
    row = tx.run(
        "SELECT count(*) AS many FROM coordination_queueentry"
        " WHERE team_id = %s AND project_id = %s AND holder_id = %s AND state = 'waiting'",
        [tx.team_id, project_id, holder_id],
    ).fetchone()
    return int(row["many"]) if row else 0


def lock_plan(tx: Transaction, entry_id: UUID) -> tuple[LockKey, ...]:
    """The stored lock plan of an entry."""
    row = tx.run(
        "SELECT lock_keys, lock_exclusive FROM coordination_queueentry WHERE team_id = %s AND id = %s",
        [tx.team_id, entry_id],
    ).fetchone()
    assert row is not None
    return tuple(
        LockKey(key, exclusive) for key, exclusive in zip(row["lock_keys"], row["lock_exclusive"], strict=True)
    )


def position(tx: Transaction, project_id: UUID, row: Row) -> int:
    """Place in line: 1 for the first among the waiting entries whose ground could meet this one's."""
    found = tx.run(
        """
        SELECT count(DISTINCT q.id) AS ahead
        FROM coordination_queueentry q
        JOIN coordination_ground o ON o.team_id = q.team_id AND o.entry_id = q.id
        JOIN coordination_ground m ON m.team_id = q.team_id AND m.entry_id = %(id)s AND m.root = o.root
             AND (m.prefix = o.prefix OR m.prefix = '' OR o.prefix = ''
                  OR starts_with(m.prefix, o.prefix || '/') OR starts_with(o.prefix, m.prefix || '/'))
        WHERE q.team_id = %(team)s AND q.project_id = %(project)s AND q.state = 'waiting' AND q.id <> %(id)s
          AND (q.urgency, -q.arrival) > (%(urgency)s, -%(arrival)s::bigint)
        """,
        {
            "team": tx.team_id,
            "project": project_id,
            "id": row["id"],
            "urgency": row["urgency"],
            "arrival": row["arrival"],
        },
    ).fetchone()
    return 1 + int(found["ahead"]) if found else 1

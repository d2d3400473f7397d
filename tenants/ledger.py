"""The ledger: every mutation appends here in its own transaction; whoever tells anybody anything reads here.

Writers promise no order. ``publish`` gives committed rows their ``seq``, one publisher per stream at a time,
so a reader that resumes from its cursor misses nothing although writers commit out of order (concurrency.md,
"Ledger order"). A stream is a project, or the team itself where there is no project.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from tenants import ids
from tenants.db import Row, Transaction, teamless, transaction
from tenants.principal import Principal
from tenants.problems import Code, Problem

_BATCH = 1000

# Called after a commit that appended, with the stream (team, project or None) and whose inboxes got something. The
# app above registers the publisher's nudge here, since this app knows nobody above it.
listeners: list[Callable[[UUID, UUID | None, frozenset[str]], object]] = []


@dataclass(frozen=True, slots=True)
class Fact:
    """What happened, before it is written: a dotted type in the past tense, its subject, and JSON data.

    ``recipient`` puts it into an inbox: ``ins:<uuid>``, ``agt:<uuid>`` or ``all``.
    """

    type: str
    subject_kind: str
    subject_id: str
    data: dict[str, Any] = field(default_factory=dict)
    recipient: str | None = None


# Also a part of bigger statements, so that a hot write costs one round trip; parameters come from ``prepare``.
_INSERT = """
INSERT INTO tenants_event (team_id, project_id, type, at, door, actor_kind, actor_id, actor_name, instance_id,
                           subject_kind, subject_id, recipient, request_id, address, data)
SELECT %(team)s, %(led_project)s, f.type, clock_timestamp(), %(led_door)s, %(led_actor_kind)s, %(led_actor_id)s,
       %(led_actor_name)s, %(led_instance)s, f.kind, f.subject, f.recipient, %(led_request)s, %(led_address)s, {data}
FROM jsonb_to_recordset(%(led_facts)s::jsonb)
     AS f(n int, type text, kind text, subject text, recipient text, data jsonb)
ORDER BY f.n
"""


def insert_sql(data: str = "f.data") -> str:
    """The statement, for use in a bigger one; ``data`` is the SQL of a fact's data, where that has more to add."""
    return _INSERT.format(data=data)


INSERT = insert_sql()


def prepare(
    tx: Transaction,
    principal: Principal,
    facts: Sequence[Fact],
    *,
    project_id: UUID | None,
    instance_id: UUID | None = None,
) -> Row:
    """The parameters of ``INSERT`` for a statement that contains it; the listeners hear once it has committed."""
    tell_later(tx, project_id, [fact.recipient for fact in facts if fact.recipient])
    return {
        "team": principal.team_id,
        "led_project": project_id,
        "led_door": principal.door,
        "led_actor_kind": principal.actor.kind,
        "led_actor_id": principal.actor.id,
        "led_actor_name": principal.actor.name,
        "led_instance": instance_id,
        "led_request": principal.request_id,
        "led_address": principal.address,
        "led_facts": orjson.dumps(
            [
                {
                    "n": n,
                    "type": fact.type,
                    "kind": fact.subject_kind,
                    "subject": fact.subject_id,
                    "recipient": fact.recipient,
                    "data": fact.data,
                }
                for n, fact in enumerate(facts)
            ]
        ).decode(),
    }


def append(
    tx: Transaction,
    principal: Principal,
    facts: Sequence[Fact],
    *,
    project_id: UUID | None,
    instance_id: UUID | None = None,
) -> None:
    """Write facts in the caller's own transaction, and tell the listeners once it has committed."""
    tx.run(INSERT, prepare(tx, principal, facts, project_id=project_id, instance_id=instance_id))


def record(tx: Transaction, principal: Principal, *facts: Fact, project_id: UUID | None = None) -> None:
    """``append`` for the management services, which act for no instance."""
    append(tx, principal, facts, project_id=project_id)


def tell_later(tx: Transaction, project_id: UUID | None, recipients: Sequence[str]) -> None:
    """Have the listeners hear, after the commit, that the stream and these inboxes got something."""
    told = frozenset(recipients)
    tx.after_commit(lambda: _tell(tx.team_id, project_id, told))


def _tell(team_id: UUID, project_id: UUID | None, recipients: frozenset[str]) -> None:
    for listener in listeners:
        listener(team_id, project_id, recipients)


_ENSURE_HEAD = """
INSERT INTO tenants_ledgerhead (id, team_id, project_id, last_seq, oldest_seq)
VALUES (%s, %s, %s, 0, 1) ON CONFLICT (team_id, project_id) DO NOTHING
"""
_TAKE_TURN = """
SELECT id, last_seq FROM tenants_ledgerhead
WHERE team_id = %(team)s AND project_id IS NOT DISTINCT FROM %(project)s FOR NO KEY UPDATE SKIP LOCKED
"""
_HAS_HEAD = """
SELECT 1 AS one FROM tenants_ledgerhead WHERE team_id = %(team)s AND project_id IS NOT DISTINCT FROM %(project)s
"""
# Two statements that no plan can make slow: a join of the batch with the ledger is planned while the ledger is
# small, and that plan reads all of it once per row. The first is planned each time it runs (``prepare=False``).
# Its snapshot is taken after the turn was: it sees all that earlier publishers numbered.
_WAITING = """
SELECT id FROM tenants_event WHERE team_id = %(team)s AND project_id {stream} AND seq IS NULL ORDER BY id LIMIT {batch}
"""
_NUMBER = """
WITH numbered AS (
    UPDATE tenants_event SET seq = %(last)s + array_position(%(ids)s::bigint[], id)
    WHERE team_id = %(team)s AND id = ANY(%(ids)s::bigint[])
)
UPDATE tenants_ledgerhead SET last_seq = %(last)s + %(many)s WHERE team_id = %(team)s AND id = %(head)s
"""


def _stream(project_id: UUID | None) -> str:
    return "IS NULL" if project_id is None else "= %(project)s"


def publish(team_id: UUID, project_id: UUID | None) -> int | None:
    """Number what has been committed to one stream. The last number given, or None if another has the turn.

    0 when there was nothing. Idempotent; a publisher killed before COMMIT leaves everything as it was.
    """
    names = {"team": team_id, "project": project_id}
    last: int = 0
    while True:
        with transaction(team_id, lean=True) as tx:
            head = tx.run(_TAKE_TURN, names).fetchone()
            if head is None:
                # Only where there is none at all: inserting beside a head that another publisher has just updated
                # would wait for its commit, and with it for whoever is slow or dead.
                if tx.run(_HAS_HEAD, names).fetchone():
                    return None
                if not tx.run(_ENSURE_HEAD, [ids.new_id(), team_id, project_id]).rowcount:
                    return None
                continue
            waiting = _WAITING.format(stream=_stream(project_id), batch=_BATCH)
            found = [row["id"] for row in tx.run(waiting, names, prepare=False).fetchall()]
            if not found:
                return last
            last = head["last_seq"] + len(found)
            many = {"last": head["last_seq"], "head": head["id"], "ids": found, "many": len(found)}
            tx.run(_NUMBER, names | many)
            if len(found) < _BATCH:
                return last


def unpublished() -> list[tuple[UUID, UUID | None]]:
    """Streams with unpublished events, over all teams: what the backstop sweep works through."""
    with teamless(reason="the publisher's backstop lists streams over all teams") as cursor:
        rows = cursor.execute("SELECT team_id, project_id FROM interlock_unpublished()").fetchall()
    return [(row["team_id"], row["project_id"]) for row in rows]


_COLUMNS = """e.id, e.seq, e.type, e.at, e.door, e.actor_kind, e.actor_id, e.actor_name, e.instance_id,
       e.subject_kind, e.subject_id, e.recipient, e.data"""


def read(
    tx: Transaction,
    project_id: UUID | None,
    *,
    after: int,
    limit: int,
    types: Sequence[str] = (),
    actor: str | None = None,
    subject: str | None = None,
    recipients: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Row]:
    """Published events of a stream after a cursor, oldest first.

    ``types`` are SQL LIKE patterns made by the caller; ``recipients`` restricts to an inbox. Raises Problem
    ``cursor_expired`` below what retention left.
    """
    where = [f"e.team_id = %(team)s AND e.project_id {_stream(project_id)}", "e.seq > %(after)s"]
    if types:
        where.append("e.type LIKE ANY(%(types)s)")
    if actor:
        where.append("e.actor_name = %(actor)s")
    if subject:
        where.append("e.subject_id = %(subject)s")
    if recipients:
        where.append("e.recipient = ANY(%(recipients)s)")
    if since is not None:
        where.append("e.at >= %(since)s")
    if until is not None:
        where.append("e.at < %(until)s")
    names = {
        "team": tx.team_id,
        "project": project_id,
        "since": since,
        "until": until,
        "after": after,
        "limit": limit,
        "types": list(types),
        "actor": actor,
        "subject": subject,
        "recipients": list(recipients),
    }
    check_cursor(tx, project_id, after)
    statement = f"SELECT {_COLUMNS} FROM tenants_event e WHERE {' AND '.join(where)} ORDER BY e.seq LIMIT %(limit)s"
    return tx.run(statement, names).fetchall()


def head(tx: Transaction, project_id: UUID | None) -> tuple[int, int]:
    """(oldest number still there, last number given) of a stream; (1, 0) for a new one."""
    row = tx.run(
        "SELECT oldest_seq, last_seq FROM tenants_ledgerhead WHERE team_id = %s AND project_id IS NOT DISTINCT FROM %s",
        [tx.team_id, project_id],
    ).fetchone()
    return (row["oldest_seq"], row["last_seq"]) if row else (1, 0)


def check_cursor(tx: Transaction, project_id: UUID | None, after: int) -> None:
    """Raise 410 where retention has removed what comes right after this cursor."""
    oldest, _ = head(tx, project_id)
    if after < oldest - 1:
        raise Problem(
            Code.CURSOR_EXPIRED, f"The oldest cursor still there is {oldest - 1}.", oldest_cursor=str(oldest - 1)
        )


def show(row: Row) -> dict[str, Any]:
    """The public shape of an event (api.md, "Shapes")."""
    instance = row["instance_id"]
    return {
        "id": f"evt_{row['id']:016d}",
        "cursor": str(row["seq"]),
        "type": row["type"],
        "at": row["at"],
        "actor": {
            "kind": row["actor_kind"],
            "id": row["actor_id"],
            "name": row["actor_name"],
            "instance": ids.show("ins", instance) if instance else None,
        },
        "door": row["door"],
        "subject": {"kind": row["subject_kind"], "id": row["subject_id"]},
        "data": row["data"],
    }

"""A request that was sent twice happens once (architecture.md, "Idempotency"; concurrency.md, "Idempotency
and waiting").

The key's lock, the work and the stored answer are one transaction, so a stored answer exists exactly where
the work was committed. One store for REST and MCP: what counts is who asks, as which run, for which
operation.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from tenants import ids
from tenants.db import Transaction, teamless, transaction
from tenants.principal import Principal
from tenants.problems import Code, Problem

KEPT_HOURS = 24
# Of the two-number advisory locks (coordination.store has the others). Only ever tried, so it needs no order.
_SPACE = 7
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer given before: its HTTP status, JSON body and the headers that belong to it."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def fingerprint(principal: Principal, operation: str, key: str) -> bytes:
    """What a key is unique over: team, credential, acting instance, operation."""
    parts = [
        str(principal.team_id),
        principal.actor.kind,
        principal.actor.id,
        _run(principal),
        operation,
        key,
    ]
    return hashlib.sha256(orjson.dumps(parts)).digest()


def _run(principal: Principal) -> str:
    # Without the epoch: a run that resumed and sends its request again still means the same one.
    return (principal.instance or "").partition(".")[0]


def body_digest(*parts: Any) -> bytes:
    """A digest of what was asked that does not depend on spacing or the order of names."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()


_FIND = """
SELECT status, answer, body_digest FROM tenants_idempotencyrecord
WHERE team_id = %(team)s AND key = %(key)s AND created_at > clock_timestamp() - make_interval(hours =>
%(hours)s)
"""
_STORE = """
INSERT INTO tenants_idempotencyrecord (id, team_id, key, body_digest, status, answer, created_at)
VALUES (%(id)s, %(team)s, %(key)s, %(digest)s, %(status)s, %(answer)s, clock_timestamp())
ON CONFLICT (team_id, key) DO UPDATE
SET body_digest = excluded.body_digest, status = excluded.status, answer = excluded.answer,
    created_at = excluded.created_at
"""


def begin(tx: Transaction, key: bytes, digest: bytes) -> Stored | None:
    """Take the key for this transaction: the answer given before, or None when the work is to be done now.

    Raises 409 ``idempotency_in_flight`` while another transaction has it, 422 ``idempotency_mismatch`` where
    it was used for another request.
    """
    number = int.from_bytes(key[:4], "big", signed=True)
    row = tx.run("SELECT pg_try_advisory_xact_lock(%s, %s) AS had", [_SPACE, number]).fetchone()
    if row is None or not row["had"]:
        raise Problem(Code.IDEMPOTENCY_IN_FLIGHT, headers={"Retry-After": "1"}, retry_after=1)
    found = tx.run(_FIND, {"team": tx.team_id, "key": key, "hours": KEPT_HOURS}).fetchone()
    if found is None:
        return None
    if bytes(found["body_digest"]) != digest:
        raise Problem(Code.IDEMPOTENCY_MISMATCH)
    return Stored(found["status"], found["answer"]["body"], found["answer"]["headers"])


def store(tx: Transaction, key: bytes, digest: bytes, stored: Stored) -> None:
    """Keep the answer, in the transaction that did the work. The body may hold times; they are kept as they
    go out.
    """
    kept = Jsonb({"body": stored.body, "headers": stored.headers}, dumps=_dumps)
    tx.run(
        _STORE,
        {
            "id": ids.new_id(),
            "team": tx.team_id,
            "key": key,
            "digest": digest,
            "status": stored.status,
            "answer": kept,
        },
    )


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def tidy() -> int:
    """Delete what is older than 24 hours, team by team; how many went. Harmless when two do it at once."""
    with teamless(reason="the tidying sweep lists teams with old answers") as cursor:
        teams = [row["team_id"] for row in cursor.execute("SELECT team_id FROM interlock_due_idempotency()").fetchall()]
    gone = 0
    for team_id in teams:
        with transaction(team_id) as tx:
            gone += tx.run(
                "DELETE FROM tenants_idempotencyrecord WHERE team_id = %(team)s AND id IN ("
                " SELECT id FROM tenants_idempotencyrecord WHERE team_id = %(team)s"
                " AND created_at < clock_timestamp() - make_interval(hours => %(hours)s)"
                " ORDER BY created_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)",
                {"team": team_id, "hours": KEPT_HOURS, "batch": _BATCH},
            ).rowcount
    return gone

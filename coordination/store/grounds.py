"""Ground in the database: advisory locks by the engine's plan, and candidates for overlap by the prefix index.

Lock order (concurrency.md, "Lock registry"): project, ground, wait graph, rows. The first three are transaction-level
advisory locks; project and wait graph use the two-number key space, ground the one-number space, so they never meet.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

import orjson

from coordination.engine.locks import LockKey
from coordination.engine.patterns import ancestors
from coordination.store.instances import HEADER_BY_CREDENTIAL, HEADER_BY_ID
from tenants.db import Row, Rows, Transaction

_PROJECT, _WAIT_GRAPH = 1, 3

_LOCK = f"""
WITH project AS MATERIALIZED (
         SELECT pg_advisory_xact_lock_shared({_PROJECT}, hashtext(%(project)s::text))::text AS done),
     wanted AS MATERIALIZED (SELECT w.key, w.exclusive
                             FROM project, unnest(%(keys)s::bigint[], %(exclusive)s::bool[])
                                  WITH ORDINALITY AS w(key, exclusive, n)
                             WHERE project.done IS NOT NULL ORDER BY w.n)
SELECT count(CASE WHEN exclusive THEN pg_advisory_xact_lock(key)::text
                  ELSE pg_advisory_xact_lock_shared(key)::text END) FROM wanted
"""

# The same from the plan stored on the rows themselves: claims (or entries) to be released, in one statement.
_LOCK_STORED = """
WITH project AS MATERIALIZED (
         SELECT pg_advisory_xact_lock_shared({project}, hashtext(%(project)s::text))::text AS done),
     wanted AS MATERIALIZED (SELECT k.key, bool_or(k.exclusive) AS exclusive
                             FROM project, {table} c, unnest(c.lock_keys, c.lock_exclusive) AS k(key, exclusive)
                             WHERE project.done IS NOT NULL AND c.team_id = %(team)s AND c.id = ANY(%(ids)s)
                             GROUP BY k.key ORDER BY k.key)
SELECT count(CASE WHEN exclusive THEN pg_advisory_xact_lock(key)::text
                  ELSE pg_advisory_xact_lock_shared(key)::text END) FROM wanted
"""
_LOCK_CLAIMS = _LOCK_STORED.format(project=_PROJECT, table="coordination_claim")
_LOCK_ENTRIES = _LOCK_STORED.format(project=_PROJECT, table="coordination_queueentry")


def lock_ground(tx: Transaction, project_id: UUID, plan: Sequence[LockKey]) -> None:
    """Take the project's lock (shared), then every ground key of the plan, in its order."""
    tx.run(
        _LOCK,
        {
            "project": project_id,
            "keys": array(key.key for key in plan),
            "exclusive": array("t" if key.exclusive else "f" for key in plan),
        },
    )


def lock_claims(tx: Transaction, project_id: UUID, ids: Sequence[UUID]) -> None:
    """Take the locks under which these claims' ground is decided."""
    tx.run(_LOCK_CLAIMS, {"project": project_id, "team": tx.team_id, "ids": list(ids)})


_LOCK_BEFORE = """
SELECT header.*, (SELECT count(CASE WHEN exclusive THEN pg_advisory_xact_lock(key)::text
                                    ELSE pg_advisory_xact_lock_shared(key)::text END) FROM wanted) AS locked
FROM ({header}) AS header
"""
_LOCK_CLAIMS_BY_ID = _LOCK_CLAIMS[: _LOCK_CLAIMS.rindex("SELECT count")] + _LOCK_BEFORE.format(header=HEADER_BY_ID)
_LOCK_CLAIMS_BY_CREDENTIAL = _LOCK_CLAIMS[: _LOCK_CLAIMS.rindex("SELECT count")] + _LOCK_BEFORE.format(
    header=HEADER_BY_CREDENTIAL
)


def lock_claims_asked(
    tx: Transaction, project_id: UUID, ids: Sequence[UUID], *, instance_id: UUID | None, credential: str
) -> list[Row]:
    """``lock_claims`` and the header of who asks, in one statement."""
    names = {
        "project": project_id,
        "team": tx.team_id,
        "ids": list(ids),
        "instance": instance_id,
        "credential": credential,
    }
    return tx.run(_LOCK_CLAIMS_BY_ID if instance_id else _LOCK_CLAIMS_BY_CREDENTIAL, names).fetchall()


def lock_entries(tx: Transaction, project_id: UUID, ids: Sequence[UUID]) -> None:
    """Take the locks under which these queue entries' ground is decided."""
    tx.run(_LOCK_ENTRIES, {"project": project_id, "team": tx.team_id, "ids": list(ids)})


def lock_project(tx: Transaction, project_id: UUID) -> None:
    """Take the project's lock exclusively: freeze and policy changes wait for grants in flight, and hold new ones."""
    tx.run("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_PROJECT, str(project_id)])


def lock_wait_graph(tx: Transaction, project_id: UUID) -> None:
    """Take the project's wait graph: held by whoever adds an edge."""
    tx.run("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_WAIT_GRAPH, str(project_id)])


class Place(NamedTuple):
    """Where to look for candidates: a name space and a literal prefix in it."""

    root: str
    prefix: str


# Candidates are rows whose prefix is an ancestor of mine, mine, or below mine: equality and one range scan each.
# `live` is claims.md's predicate; a waiting entry counts while its deadline lasts and its waiter is not dead.
# `lapses_at` (seconds since 1970) is when a claim ends if its holder is not heard of any more.
# Laterals with OFFSET 0 and LIMIT 1 leave the planner no other order than index probes: left to its statistics it
# came to join all ground of the team with every instance.
NEAR = """
SELECT hit.id::text, hit.root::text AS root, hit.pattern, hit.exact, hit.fold, hit.scope, hit.claim_id::text,
       hit.entry_id::text, hit.holder_id::text, hit.mode, c.narrowable,
       extract(epoch FROM CASE WHEN p.idle_limit_s = 0 THEN c.expires_at
               ELSE least(c.expires_at, h.last_seen + make_interval(secs => p.idle_limit_s + p.grace_s)) END
       )::float AS lapses_at,
       CASE WHEN hit.claim_id IS NOT NULL
            THEN c.state = 'held' AND c.expires_at > t.now
                 AND (p.idle_limit_s = 0
                      OR h.last_seen + make_interval(secs => p.idle_limit_s + p.grace_s) > t.now)
            ELSE q.state = 'waiting' AND q.deadline > t.now AND (q.waiter_until IS NULL OR q.waiter_until > t.now)
       END AS live,
       q.urgency, q.arrival, extract(epoch FROM t.now - q.enqueued_at)::float AS waited,
       (SELECT array_agg(x.pattern) FROM coordination_groundexcept x
        WHERE x.team_id = hit.team_id AND x.scope = hit.scope
          AND (x.claim_id = hit.claim_id OR x.entry_id = hit.entry_id)) AS excepts
FROM (
    SELECT g.* FROM jsonb_to_recordset(%(up)s::jsonb) AS u(root uuid, prefix text)
    CROSS JOIN LATERAL (
        SELECT * FROM coordination_ground g
        WHERE g.team_id = %(team)s AND g.root = u.root AND g.prefix = u.prefix COLLATE "C" AND g.active
          AND g.holder_id <> %(holder)s OFFSET 0) AS g
    UNION ALL
    SELECT g.* FROM jsonb_to_recordset(%(down)s::jsonb) AS d(root uuid, low text, high text)
    CROSS JOIN LATERAL (
        SELECT * FROM coordination_ground g
        WHERE g.team_id = %(team)s AND g.root = d.root AND g.prefix >= d.low COLLATE "C"
          AND g.prefix < d.high COLLATE "C" AND g.active AND g.holder_id <> %(holder)s
          AND (d.low <> '' OR g.mode = ANY(%(hostile)s::text[])) OFFSET 0) AS g
) AS hit
CROSS JOIN (SELECT clock_timestamp() AS now) AS t
JOIN LATERAL (SELECT idle_limit_s, grace_s FROM tenants_project
              WHERE team_id = %(team)s AND id = hit.project_id LIMIT 1) AS p ON true
JOIN LATERAL (SELECT last_seen FROM coordination_instance
              WHERE team_id = %(team)s AND id = hit.holder_id LIMIT 1) AS h ON true
LEFT JOIN LATERAL (SELECT state, expires_at, narrowable FROM coordination_claim
                   WHERE team_id = %(team)s AND id = hit.claim_id LIMIT 1) AS c ON true
LEFT JOIN LATERAL (SELECT state, deadline, waiter_until, urgency, arrival, enqueued_at FROM coordination_queueentry
                   WHERE team_id = %(team)s AND id = hit.entry_id LIMIT 1) AS q ON true
"""


def candidates(tx: Transaction, places: Iterable[Place], *, holder_id: UUID | None, hostile: Sequence[str]) -> Rows:
    """Active ground of other holders that could overlap; the same row may come twice.

    Claims whose time is over but whose row still says held come with ``live`` false. Below the root itself only the
    ``hostile`` modes are looked at, so a pattern that starts with a wildcard does not drag in everything.
    """
    return tx.run(NEAR, where(tx, places, holder_id, hostile))


_LOOK_BY_ID = f"SELECT header.*, (SELECT json_agg(near) FROM ({NEAR}) AS near) AS near FROM ({HEADER_BY_ID}) AS header"
_LOOK_BY_CREDENTIAL = (
    f"SELECT header.*, (SELECT json_agg(near) FROM ({NEAR}) AS near) AS near FROM ({HEADER_BY_CREDENTIAL}) AS header"
)


def look(
    tx: Transaction,
    project_id: UUID,
    places: Iterable[Place],
    *,
    instance_id: UUID | None,
    credential: str,
    holder_id: UUID | None,
    hostile: Sequence[str],
    below: bool = True,
) -> list[Row]:
    """All a decision needs in one statement, after its locks: the header (store.instances), and ``near``.

    Without ``below``, only what could cover the places themselves: files, below which nothing is.
    """
    names = where(tx, places, holder_id, hostile, below=below)
    names |= {"project": project_id, "instance": instance_id, "credential": credential}
    return tx.run(_LOOK_BY_ID if instance_id else _LOOK_BY_CREDENTIAL, names).fetchall()


def where(
    tx: Transaction, places: Iterable[Place], holder_id: UUID | None, hostile: Sequence[str], *, below: bool = True
) -> Row:
    """The parameters of ``NEAR``."""
    up: set[tuple[str, str]] = set()
    down: set[tuple[str, str]] = set()
    for root, prefix in places:
        if below:
            down.add((root, prefix))
        up.add((root, prefix))
        up.update((root, above) for above in ancestors(prefix))
    # Everything strictly below P sorts between 'P/' and 'P0' ('0' follows '/' in ASCII); below the root: all.
    ranges = [
        {"root": root, "low": f"{low}/", "high": f"{low}0"} if low else {"root": root, "low": "", "high": _LAST}
        for root, low in down
    ]
    return {
        "team": tx.team_id,
        "holder": holder_id or _NOBODY,
        "hostile": array(hostile),
        "up": dumps([{"root": root, "prefix": prefix} for root, prefix in up]),
        "down": dumps(ranges),
    }


_NOBODY = UUID(int=0)
_LAST = "\U0010ffff"


def array(values: Iterable[object]) -> str:
    """A Postgres array of plain words or numbers as text: much cheaper to send than a list."""
    return "{" + ",".join(map(str, values)) + "}"


def dumps(value: object) -> str:
    """JSON text for a jsonb parameter."""
    return orjson.dumps(value).decode()


# A claim's or entry's ground; also a part of the statement that writes a grant (store.claims). A row whose case folding
# is not its repository's is left out: whoever placed it believed an old setting, and has to place it anew.
INSERT_FROM_JSON = """
INSERT INTO coordination_ground (id, team_id, project_id, root, prefix, pattern, scope, alternative, fold, exact,
                                 claim_id, entry_id, holder_id, mode, active)
SELECT u.id, %(team)s, %(project)s, u.root, u.prefix, u.pattern, u.scope, u.alternative, u.fold, u.exact, %(claim)s,
       %(entry)s, %(holder)s, %(mode)s, true
FROM jsonb_to_recordset(%(ground)s::jsonb) AS u(id uuid, root uuid, prefix text, pattern text, scope int,
                                                alternative smallint, fold bool, exact bool)
LEFT JOIN tenants_repository r ON r.team_id = %(team)s AND r.id = u.root
WHERE r.id IS NULL OR r.case_insensitive = u.fold
RETURNING 1
"""
_INSERT_EXCEPTS = """
INSERT INTO coordination_groundexcept (id, team_id, claim_id, entry_id, scope, pattern)
SELECT u.id, %(team)s, %(claim)s, %(entry)s, u.scope, u.pattern
FROM jsonb_to_recordset(%(excepts)s::jsonb) AS u(id uuid, scope int, pattern text)
"""


def insert(tx: Transaction, names: Row) -> int:
    """Write the ground of one claim or entry: ``project``, ``claim`` or ``entry``, ``holder``, ``mode``, ``ground``.

    Answers how many rows were written: fewer than given when a repository's case setting has changed meanwhile.
    """
    return len(tx.run(INSERT_FROM_JSON, names | {"team": tx.team_id}).fetchall())


def insert_excepts(tx: Transaction, *, claim: UUID | None, entry: UUID | None, excepts: list[Row]) -> None:
    """Write exceptions (id, scope, pattern) of one claim or entry."""
    if excepts:
        names = {"team": tx.team_id, "claim": claim, "entry": entry, "excepts": dumps(excepts)}
        tx.run(_INSERT_EXCEPTS, names)


def of_entries(tx: Transaction, entry_ids: Sequence[UUID]) -> list[Row]:
    """All ground of some queue entries, with its exceptions."""
    return tx.run(
        """
        SELECT g.root::text AS root, g.pattern, g.exact, g.fold, g.scope, g.entry_id,
               (SELECT array_agg(x.pattern) FROM coordination_groundexcept x
                WHERE x.team_id = g.team_id AND x.entry_id = g.entry_id AND x.scope = g.scope) AS excepts
        FROM coordination_ground g WHERE g.team_id = %s AND g.entry_id = ANY(%s) ORDER BY g.scope, g.alternative
        """,
        [tx.team_id, list(entry_ids)],
    ).fetchall()


def of_claims(tx: Transaction, claim_ids: Sequence[UUID], *, ended: bool = False) -> list[Row]:
    """All active ground of some claims (or what they once had, ``ended``), with its exceptions."""
    return tx.run(
        """
        SELECT g.root::text AS root, g.prefix, g.pattern, g.exact, g.fold, g.scope, g.alternative, g.claim_id,
               (SELECT array_agg(x.pattern) FROM coordination_groundexcept x
                WHERE x.team_id = g.team_id AND x.claim_id = g.claim_id AND x.scope = g.scope) AS excepts
        FROM coordination_ground g WHERE g.team_id = %s AND g.claim_id = ANY(%s) AND (g.active OR %s)
        ORDER BY g.scope, g.alternative
        """,
        [tx.team_id, list(claim_ids), ended],
    ).fetchall()


def in_use(tx: Transaction, root: UUID) -> bool:
    """Whether any active ground stands in this name space."""
    row = tx.run(
        "SELECT EXISTS (SELECT 1 FROM coordination_ground WHERE team_id = %s AND root = %s AND active) AS used",
        [tx.team_id, root],
    ).fetchone()
    return bool(row and row["used"])

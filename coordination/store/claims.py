"""Statements over claims. Compare-and-swap is always ``id`` with ``state = 'held'``."""

from collections.abc import Sequence
from uuid import UUID

from coordination.store.grounds import INSERT_FROM_JSON, array, dumps
from tenants import ledger
from tenants.db import Row, Transaction

# Live, as SQL over claim c, holder h and project p (claims.md; concurrency.md, "Live").
LIVE = """(c.state = 'held' AND c.expires_at > clock_timestamp()
       AND (p.idle_limit_s = 0
            OR h.last_seen + make_interval(secs => p.idle_limit_s + p.grace_s) > clock_timestamp()))"""

# What is said of a grant names its fence, which only this statement knows.
_FENCED = """f.data || CASE WHEN f.type = 'claim.granted'
                     THEN jsonb_build_object('fence', (SELECT fence FROM claim)) ELSE '{}' END"""
# A grant in one statement: the claim, its ground, and what the ledger hears. The fence is read here, after the locks.
# The holder's row is locked so that its end (store.instances) sees the claim, or the claim sees the end.
_INSERT = f"""
WITH claim AS (
    INSERT INTO coordination_claim (id, team_id, project_id, holder_id, instance_id, state, mode, fence, scopes, reason,
                                    branch, task, narrowable, ttl_s, created_at, expires_at, offered, ended_by,
                                    took_over, lock_keys, lock_exclusive)
    SELECT %(claim)s, %(team)s, %(project)s, h.id, %(instance)s, 'held', %(mode)s,
           nextval('coordination_fence'), %(scopes)s::jsonb, %(reason)s, %(branch)s, %(task)s, %(narrowable)s,
           %(ttl)s, %(now)s, %(now)s + make_interval(secs => %(lasts)s), %(offered)s, '', %(took_over)s::jsonb,
           %(keys)s::bigint[], %(exclusive)s::bool[]
    FROM (SELECT id FROM coordination_instance
          WHERE team_id = %(team)s AND id = %(holder)s AND ended_at IS NULL FOR KEY SHARE) AS h
    RETURNING fence, created_at, expires_at
), ground AS ({INSERT_FROM_JSON}), told AS ({ledger.insert_sql(_FENCED)})
SELECT fence, created_at, expires_at, (SELECT count(*) FROM ground) AS grounds FROM claim
"""


def insert(tx: Transaction, names: Row, said: Row) -> Row | None:
    """A new held claim with its ground, and ``said`` (ledger.prepare) in the ledger; fence, times, rows of ground.

    None where its holder has ended: the transaction must be rolled back then.
    """
    return tx.run(_INSERT, names | said | {"team": tx.team_id, "entry": None}).fetchone()


def insert_coexistence(tx: Transaction, ids: Sequence[UUID], newer: UUID, olders: Sequence[UUID]) -> None:
    """Record that a new claim and older ones meet and may."""
    tx.run(
        "INSERT INTO coordination_coexistence (id, team_id, newer_id, older_id)"
        " SELECT u.id, %s, %s, u.older FROM unnest(%s::uuid[], %s::uuid[]) AS u(id, older)",
        [tx.team_id, newer, list(ids), list(olders)],
    )


# Ending claims, freeing their ground, telling the ledger, and seeing whether anybody waits near: one statement.
# Few wait at any time, so `near` starts from the waiting entries of the project.
_END = """
WITH ended AS (
    UPDATE coordination_claim c SET state = %(state)s, ended_at = clock_timestamp(), ended_by = %(by)s
    WHERE c.team_id = %(team)s AND c.project_id = %(project)s AND c.id = ANY(%(ids)s::uuid[]) AND c.state = 'held'
      AND {condition}
    RETURNING c.id, c.holder_id, c.fence, c.scopes, c.mode,
              (SELECT h.agent_name FROM coordination_instance h
               WHERE h.team_id = c.team_id AND h.id = c.holder_id) AS agent_name
), freed AS (
    UPDATE coordination_ground g SET active = false FROM ended WHERE g.team_id = %(team)s AND g.claim_id = ended.id
){more}
SELECT ended.*{near} FROM ended
"""
_NEAR = """, EXISTS (
    SELECT 1 FROM coordination_queueentry q
    JOIN coordination_ground w ON w.team_id = q.team_id AND w.entry_id = q.id
    JOIN coordination_ground f ON f.team_id = q.team_id AND f.claim_id = ended.id AND f.root = w.root
         AND (f.prefix = w.prefix OR f.prefix = '' OR w.prefix = ''
              OR starts_with(f.prefix, w.prefix || '/') OR starts_with(w.prefix, f.prefix || '/'))
    WHERE q.team_id = %(team)s AND q.project_id = %(project)s AND q.state = 'waiting') AS near"""
_TOLD = """, told AS (
    INSERT INTO tenants_event (team_id, project_id, type, at, door, actor_kind, actor_id, actor_name, instance_id,
                               subject_kind, subject_id, recipient, request_id, address, data)
    SELECT %(team)s, %(led_project)s, 'claim.' || %(state)s, clock_timestamp(), %(led_door)s, %(led_actor_kind)s,
           %(led_actor_id)s, %(led_actor_name)s, %(led_instance)s, 'claim', u.public,
           CASE WHEN %(state)s = 'revoked' THEN 'ins:' || ended.holder_id END, %(led_request)s, %(led_address)s,
           jsonb_build_object('agent', ended.agent_name, 'fence', ended.fence, 'by', %(by)s::text)
    FROM ended JOIN jsonb_to_recordset(%(named)s::jsonb) AS u(id uuid, public text) ON u.id = ended.id
)"""
_RELEASE = _END.format(condition="(%(holder)s::uuid IS NULL OR c.holder_id = %(holder)s)", more=_TOLD, near=_NEAR)
_LAPSED = f"""NOT (SELECT {LIVE} FROM tenants_project p, coordination_instance h
           WHERE p.team_id = c.team_id AND p.id = c.project_id AND h.team_id = c.team_id AND h.id = c.holder_id)"""
_EXPIRE = _END.format(condition=_LAPSED, more="", near="")


def release(
    tx: Transaction,
    project_id: UUID,
    named: dict[UUID, str],
    *,
    holder_id: UUID | None,
    state: str,
    by: str,
    said: Row,
) -> list[Row]:
    """End held claims (of one holder, unless None), free their ground, and append ``claim.<state>`` for each.

    ``named`` gives each claim's public id, ``said`` the ledger's columns (ledger.prepare). Answers the rows that were
    still held; ``near`` says whether anybody waits for ground near one.
    """
    names = {
        "project": project_id,
        "ids": array(named),
        "named": dumps([{"id": claim, "public": public} for claim, public in named.items()]),
        "holder": holder_id,
        "state": state,
        "by": by,
    }
    return tx.run(_RELEASE, said | names | {"team": tx.team_id}).fetchall()


# Whether a claim is live depends on its holder's row, too. Without this lock the statement that ends it could wait
# for a renewal, and then judge by the presence from before it: both would win.
_LOCK_HOLDERS = """
SELECT h.id FROM coordination_instance h WHERE h.team_id = %(team)s AND h.id IN (
    SELECT c.holder_id FROM coordination_claim c WHERE c.team_id = %(team)s AND c.id = ANY(%(ids)s::uuid[]))
ORDER BY h.id FOR NO KEY UPDATE
"""


def expire(tx: Transaction, project_id: UUID, ids: Sequence[UUID], *, by: str) -> list[Row]:
    """Set lapsed claims expired; a claim renewed meanwhile is left alone and not returned."""
    tx.run(_LOCK_HOLDERS, {"team": tx.team_id, "ids": array(ids)})
    return tx.run(
        _EXPIRE,
        {"team": tx.team_id, "project": project_id, "ids": array(ids), "state": "expired", "by": by},
    ).fetchall()


def lapsed(tx: Transaction, project_id: UUID, limit: int) -> list[UUID]:
    """Ids of claims whose row says held but which are no longer live."""
    rows = tx.run(
        f"""
        SELECT c.id FROM coordination_claim c
        JOIN tenants_project p ON p.team_id = c.team_id AND p.id = c.project_id
        JOIN coordination_instance h ON h.team_id = c.team_id AND h.id = c.holder_id
        WHERE c.team_id = %s AND c.project_id = %s AND c.state = 'held' AND NOT {LIVE}
        ORDER BY c.id LIMIT %s
        """,
        [tx.team_id, project_id, limit],
    ).fetchall()
    return [row["id"] for row in rows]


# Renewing is compare-and-swap on held; it never shortens, and takes up an offer.
_RENEW = """
UPDATE coordination_claim c
SET expires_at = greatest(c.expires_at, clock_timestamp() + make_interval(secs => coalesce(%(ttl)s, c.ttl_s))),
    ttl_s = coalesce(%(ttl)s, c.ttl_s), offered = false
WHERE c.team_id = %(team)s AND c.project_id = %(project)s AND c.state = 'held'
  AND c.holder_id = %(holder)s AND c.id = ANY(%(ids)s) AND (%(fence)s::bigint IS NULL OR c.fence = %(fence)s)
RETURNING c.id
"""

# What a heartbeat does for every lease of a holder that has used up a fifth of its time.
_RENEW_DUE = """
UPDATE coordination_claim c SET expires_at = clock_timestamp() + make_interval(secs => c.ttl_s), offered = false
WHERE c.team_id = %(team)s AND c.project_id = %(project)s AND c.state = 'held' AND c.holder_id = %(holder)s
  AND (c.offered OR c.expires_at < clock_timestamp() + make_interval(secs => c.ttl_s * 0.8))
"""


def renew_due(tx: Transaction, project_id: UUID, holder_id: UUID) -> None:
    """Renew every held claim of a holder that is due for it, and take up its offers."""
    tx.run(_RENEW_DUE, {"team": tx.team_id, "project": project_id, "holder": holder_id})


def renew(
    tx: Transaction,
    project_id: UUID,
    ids: Sequence[UUID],
    *,
    holder_id: UUID,
    ttl_s: int | None,
    fence: int | None = None,
) -> list[UUID]:
    """Extend held claims of a holder; the ids that were still held (a take-over that came first wins)."""
    names = {
        "team": tx.team_id,
        "project": project_id,
        "holder": holder_id,
        "ids": list(ids),
        "ttl": ttl_s,
        "fence": fence,
    }
    return [row["id"] for row in tx.run(_RENEW, names).fetchall()]


def held_ids(
    tx: Transaction, project_id: UUID, *, holder_id: UUID | None = None, task: str | None = None
) -> list[UUID]:
    """Ids of the held claims of a holder, or of a task."""
    rows = tx.run(
        "SELECT id FROM coordination_claim WHERE team_id = %(team)s AND project_id = %(project)s AND state = 'held'"
        " AND (%(holder)s::uuid IS NULL OR holder_id = %(holder)s) AND (%(task)s::text IS NULL OR task = %(task)s)"
        " ORDER BY id",
        {"team": tx.team_id, "project": project_id, "holder": holder_id, "task": task},
    ).fetchall()
    return [row["id"] for row in rows]


def count_held(tx: Transaction, holder_id: UUID) -> int:
    """How many claims a holder has."""
    row = tx.run(
        "SELECT count(*) AS many FROM coordination_claim WHERE team_id = %s AND holder_id = %s AND state = 'held'",
        [tx.team_id, holder_id],
    ).fetchone()
    return int(row["many"]) if row else 0


def lock(tx: Transaction, claim_id: UUID) -> None:
    """Let nobody end a claim until the transaction does; ``expire`` asks for no ground."""
    tx.run("SELECT 1 FROM coordination_claim WHERE team_id = %s AND id = %s FOR NO KEY UPDATE", [tx.team_id, claim_id])


def change(tx: Transaction, claim_id: UUID, *, mode: str | None, scopes: object | None) -> None:
    """Set mode or shown scopes of a held claim, and the mode copied to its ground."""
    tx.run(
        "UPDATE coordination_claim SET mode = coalesce(%s, mode), scopes = coalesce(%s, scopes)"
        " WHERE team_id = %s AND id = %s AND state = 'held'",
        [mode, scopes, tx.team_id, claim_id],
    )
    if mode is not None:
        tx.run(
            "UPDATE coordination_ground SET mode = %s WHERE team_id = %s AND claim_id = %s",
            [mode, tx.team_id, claim_id],
        )


def drop_ground(tx: Transaction, claim_id: UUID, kept_scopes: Sequence[int]) -> None:
    """Take scopes away from a claim (narrowing): their ground becomes free."""
    tx.run(
        "UPDATE coordination_ground SET active = false WHERE team_id = %s AND claim_id = %s AND NOT scope = ANY(%s)",
        [tx.team_id, claim_id, list(kept_scopes)],
    )


_SHOWN = f"""c.id, c.state, c.mode, c.fence, c.scopes, c.reason, c.branch, c.task, c.created_at, c.expires_at,
       c.offered, c.took_over, c.ttl_s, c.holder_id, c.instance_id, c.ended_at, c.ended_by, c.lock_keys, h.agent_name,
       h.tool, h.lane, h.status, h.last_seen, p.idle_limit_s, p.grace_s, {LIVE} AS live,
       ARRAY(SELECT x.older_id FROM coordination_coexistence x JOIN coordination_claim o
                 ON o.team_id = x.team_id AND o.id = x.older_id AND o.state = 'held'
             WHERE x.team_id = c.team_id AND x.newer_id = c.id
             UNION ALL
             SELECT x.newer_id FROM coordination_coexistence x JOIN coordination_claim o
                 ON o.team_id = x.team_id AND o.id = x.newer_id AND o.state = 'held'
             WHERE x.team_id = c.team_id AND x.older_id = c.id) AS coexists_with,
       ARRAY(SELECT jsonb_build_object('scope', x.scope, 'pattern', x.pattern) FROM coordination_groundexcept x
             WHERE x.team_id = c.team_id AND x.claim_id = c.id ORDER BY x.scope, x.pattern) AS excepts
FROM coordination_claim c
JOIN tenants_project p ON p.team_id = c.team_id AND p.id = c.project_id
JOIN coordination_instance h ON h.team_id = c.team_id AND h.id = c.holder_id"""


def by_ids(tx: Transaction, project_id: UUID, ids: Sequence[UUID]) -> list[Row]:
    """Claims as they are shown, in id order."""
    return tx.run(
        f"SELECT {_SHOWN} WHERE c.team_id = %s AND c.project_id = %s AND c.id = ANY(%s) ORDER BY c.id",
        [tx.team_id, project_id, list(ids)],
    ).fetchall()


def listed(
    tx: Transaction,
    project_id: UUID,
    *,
    state: str | None,
    agent: str | None,
    instance_id: UUID | None,
    task: str | None,
    repository: str | None,
    ids: Sequence[UUID] | None,
    before: UUID | None,
    limit: int,
) -> list[Row]:
    """Claims of a project, newest first. ``held`` means live; ``lapsed`` means held in the row, but no longer live."""
    return tx.run(
        f"""SELECT {_SHOWN}
        WHERE c.team_id = %(team)s AND c.project_id = %(project)s
          AND (%(state)s::text IS NULL OR CASE %(state)s WHEN 'held' THEN {LIVE}
               WHEN 'lapsed' THEN c.state = 'held' AND NOT {LIVE} ELSE c.state = %(state)s END)
          AND (%(state)s::text IS NULL OR %(state)s NOT IN ('held', 'lapsed') OR c.state = 'held')
          AND (%(agent)s::text IS NULL OR h.agent_name = %(agent)s)
          AND (%(instance)s::uuid IS NULL OR c.instance_id = %(instance)s OR c.holder_id = %(instance)s)
          AND (%(task)s::text IS NULL OR c.task = %(task)s)
          AND (%(repository)s::text IS NULL OR c.scopes @> jsonb_build_array(
                  jsonb_build_object('repository', %(repository)s::text)))
          AND (%(ids)s::uuid[] IS NULL OR c.id = ANY(%(ids)s))
          AND (%(before)s::uuid IS NULL OR c.id < %(before)s)
        ORDER BY c.id DESC LIMIT %(limit)s""",
        {
            "team": tx.team_id,
            "project": project_id,
            "state": state,
            "agent": agent,
            "instance": instance_id,
            "task": task,
            "repository": repository,
            "ids": None if ids is None else list(ids),
            "before": before,
            "limit": limit,
        },
    ).fetchall()


def held_by(tx: Transaction, project_id: UUID, holder_id: UUID, limit: int) -> list[Row]:
    """The live claims of a holder as they are shown, newest first."""
    return tx.run(
        f"""SELECT {_SHOWN}
        WHERE c.team_id = %s AND c.project_id = %s AND c.holder_id = %s AND c.state = 'held' AND {LIVE}
        ORDER BY c.id DESC LIMIT %s""",
        [tx.team_id, project_id, holder_id, limit],
    ).fetchall()


def of_holders(tx: Transaction, project_id: UUID, holders: Sequence[UUID]) -> list[Row]:
    """The live claims of some holders, for the roster: newest first, at most 20 each."""
    return tx.run(
        f"""
        SELECT found.* FROM unnest(%s::uuid[]) AS wanted(id)
        CROSS JOIN LATERAL (
            SELECT c.id, c.holder_id, c.mode, c.scopes, c.expires_at
            FROM coordination_claim c
            JOIN tenants_project p ON p.team_id = c.team_id AND p.id = c.project_id
            JOIN coordination_instance h ON h.team_id = c.team_id AND h.id = c.holder_id
            WHERE c.team_id = %s AND c.project_id = %s AND c.holder_id = wanted.id AND {LIVE}
            ORDER BY c.id DESC LIMIT 20
        ) AS found
        """,
        [list(holders), tx.team_id, project_id],
    ).fetchall()

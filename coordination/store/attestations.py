"""Statements over attestations: written where a live claim covers, found by content or by changed lines."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from coordination.store.claims import LIVE
from coordination.store.grounds import dumps
from tenants.db import Row, Transaction

# Both are planned each time they run (``prepare=False``): a plan that was kept from when the table was nearly empty
# goes by the team alone, and reads all of its attestations once for every path.

# `stands` is what is still covered in this statement's own snapshot: the claim is live, and the ground that was found
# to cover is still its ground (narrowing gives a claim new rows under new numbers of scopes). What is attested under
# the same claim already is not written again. Laterals with LIMIT 1 leave the planner no other order than index probes.
_INSERT = f"""
WITH asked AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb)
        AS r(id uuid, path text, blob text, patch text, claim uuid, scope int)
), covering AS MATERIALIZED (
    SELECT u.claim, u.scope, c.fence, c.task
    FROM (SELECT DISTINCT claim, scope FROM asked) AS u
    JOIN LATERAL (SELECT * FROM coordination_claim
                  WHERE team_id = %(team)s AND id = u.claim AND project_id = %(project)s
                    AND holder_id = %(holder)s LIMIT 1) AS c ON true
    JOIN LATERAL (SELECT idle_limit_s, grace_s FROM tenants_project
                  WHERE team_id = %(team)s AND id = c.project_id LIMIT 1) AS p ON true
    JOIN LATERAL (SELECT last_seen FROM coordination_instance
                  WHERE team_id = %(team)s AND id = c.holder_id LIMIT 1) AS h ON true
    JOIN LATERAL (SELECT 1 FROM coordination_ground
                  WHERE team_id = %(team)s AND claim_id = u.claim AND scope = u.scope AND active LIMIT 1) AS g ON true
    WHERE {LIVE}
), stands AS MATERIALIZED (
    SELECT a.*, v.fence, v.task FROM asked a JOIN covering v ON v.claim = a.claim AND v.scope = a.scope
), stored AS (
    INSERT INTO coordination_attestation (id, team_id, project_id, repository_id, path, blob, patch, claim_id, fence,
                                          instance_id, agent_name, credential, branch, task, created_at)
    SELECT s.id, %(team)s, %(project)s, %(repository)s, s.path, s.blob, s.patch, s.claim, s.fence, %(instance)s,
           %(agent)s, %(credential)s, %(branch)s, coalesce(nullif(%(task)s, ''), s.task), clock_timestamp()
    FROM stands s
    LEFT JOIN LATERAL (SELECT true AS known FROM coordination_attestation k
                       WHERE k.team_id = %(team)s AND k.repository_id = %(repository)s
                         AND k.path = s.path COLLATE "C" AND k.blob = s.blob AND k.patch = s.patch
                         AND k.claim_id = s.claim LIMIT 1) AS k ON true
    WHERE k.known IS NULL
    RETURNING path
)
SELECT array(SELECT path FROM stands) AS stands, array(SELECT path FROM stored) AS stored
"""


def insert(tx: Transaction, names: Row, rows: Sequence[Row]) -> tuple[set[str], list[str]]:
    """Attest paths (``id``, ``path``, ``blob``, ``patch``, ``claim``, ``scope``), each under the claim that covers it.

    ``names``: ``project``, ``repository``, ``holder``, ``instance``, ``agent``, ``credential``, ``branch``, ``task``.
    Answers the paths that are attested, and those of them that were not before. A path whose claim ended, lapsed or
    was narrowed meanwhile is in neither.
    """
    found = tx.run(_INSERT, names | {"team": tx.team_id, "rows": dumps(rows)}, prepare=False).fetchone()
    assert found is not None
    return set(found["stands"]), found["stored"]


# The newest attestation of each content, and of each change of lines. Of a path, `word` says what was asked for.
_FIND = """
SELECT w.path, w.word, w.by_blob, a.claim_id, a.fence, a.instance_id, a.agent_name, a.created_at
FROM jsonb_to_recordset(%(pairs)s::jsonb) AS w(path text, word text, by_blob bool)
CROSS JOIN LATERAL (
    (SELECT * FROM coordination_attestation a
     WHERE w.by_blob AND a.team_id = %(team)s AND a.repository_id = %(repository)s AND a.project_id = %(project)s
       AND a.path = w.path COLLATE "C" AND a.blob = w.word ORDER BY a.created_at DESC LIMIT 1)
    UNION ALL
    (SELECT * FROM coordination_attestation a
     WHERE NOT w.by_blob AND a.team_id = %(team)s AND a.repository_id = %(repository)s AND a.project_id = %(project)s
       AND a.path = w.path COLLATE "C" AND a.patch = w.word AND a.patch <> ''
     ORDER BY a.created_at DESC LIMIT 1)) AS a
"""


def find(
    tx: Transaction,
    project_id: UUID,
    repository_id: UUID,
    *,
    blobs: Iterable[tuple[str, str]],
    patches: Iterable[tuple[str, str]],
) -> tuple[dict[tuple[str, str], Row], dict[tuple[str, str], Row]]:
    """The newest attestations by (path, blob) and by (path, digest of changed lines), in one statement."""
    pairs = [{"path": path, "word": blob, "by_blob": True} for path, blob in blobs]
    pairs += [{"path": path, "word": patch, "by_blob": False} for path, patch in patches]
    names = {"team": tx.team_id, "project": project_id, "repository": repository_id, "pairs": dumps(pairs)}
    by_blob: dict[tuple[str, str], Row] = {}
    by_patch: dict[tuple[str, str], Row] = {}
    for row in tx.run(_FIND, names, prepare=False).fetchall():
        (by_blob if row["by_blob"] else by_patch)[row["path"], row["word"]] = row
    return by_blob, by_patch

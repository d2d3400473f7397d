"""Statements over agents, instances and their presence."""

from collections.abc import Sequence
from uuid import UUID

from tenants.db import Row, Rows, Transaction

# One statement gives a decision its clock, its policy and who acts. It runs after the locks.
_HEADER = """
SELECT clock_timestamp() AS now, p.slug AS project_slug, p.frozen_at, p.frozen_by, p.frozen_reason, p.idle_limit_s,
       p.grace_s, p.max_ttl_s, p.max_claims_per_agent, p.max_queued_per_agent, p.takeover_needs_reason,
       p.guard_policy, p.guard_offline, p.verify_policy,
       i.id, i.root_id, i.agent_id, i.agent_name, i.epoch, i.credential, i.ended_at, i.host, i.worktree, i.branch,
       i.repository_id, i.inbox_cursor, r.id AS holder_id, r.tool, r.lane, r.status, r.last_seen,
       r.agent_name AS holder_agent, r.ended_at AS holder_ended_at
FROM tenants_project p
LEFT JOIN coordination_instance i ON i.team_id = p.team_id AND i.project_id = p.id AND {which}
LEFT JOIN coordination_instance r ON r.team_id = i.team_id AND r.id = i.root_id
WHERE p.team_id = %(team)s AND p.id = %(project)s LIMIT 2
"""
HEADER_BY_ID = _HEADER.format(which="i.id = %(instance)s")
HEADER_BY_CREDENTIAL = _HEADER.format(
    which="%(instance)s::uuid IS NULL AND i.credential = %(credential)s AND i.ended_at IS NULL AND i.status <> 'gone'"
)
# A run by what a hook knows of it; a worktree of null is any. Without a thread, the only one there is.
_BY_PLACE = """i.credential = %(credential)s AND i.ended_at IS NULL
       AND i.agent_id = (SELECT a.id FROM coordination_agent a
                         WHERE a.team_id = p.team_id AND a.project_id = p.id AND a.name = %(agent)s)
       AND (%(worktree)s::text IS NULL OR i.worktree = %(worktree)s)"""
HEADER_BY_PLACE = _HEADER.format(which=_BY_PLACE)
HEADER_BY_RUN = _HEADER.format(which=f"{_BY_PLACE} AND i.thread_id = %(thread)s")


def header(tx: Transaction, project_id: UUID, instance_id: UUID | None, credential: str) -> Rows:
    """The project's policy, the clock, and the acting instance: by id, else the credential's only live one.

    Two rows when the credential has several live instances; null columns when there is none.
    """
    statement = HEADER_BY_ID if instance_id else HEADER_BY_CREDENTIAL
    names = {"team": tx.team_id, "project": project_id, "instance": instance_id, "credential": credential}
    return tx.run(statement, names)


_COLUMNS = """i.id, i.agent_name, i.agent_id, i.root_id, i.parent_id, i.epoch, i.credential, i.status, i.tool, i.model,
       i.thread_id, i.host, i.worktree, i.branch, i.repository_id, i.capabilities, i.intent, i.lane, i.inbox_cursor,
       i.registered_at, i.last_seen, i.ended_at, i.guard_door, i.guard_started_at, i.guard_judged_at, i.guard_missed_at,
       i.guard_probe, i.guard_probed_at, r.slug AS repository, p.guard_policy"""
_FROM = """FROM coordination_instance i
JOIN tenants_project p ON p.team_id = i.team_id AND p.id = i.project_id
LEFT JOIN tenants_repository r ON r.team_id = i.team_id AND r.id = i.repository_id"""


def find(tx: Transaction, project_id: UUID, instance_id: UUID) -> Row | None:
    """One instance of a project."""
    return tx.run(
        f"SELECT {_COLUMNS} {_FROM} WHERE i.team_id = %s AND i.project_id = %s AND i.id = %s",
        [tx.team_id, project_id, instance_id],
    ).fetchone()


def listed(
    tx: Transaction,
    project_id: UUID,
    *,
    statuses: Sequence[str],
    agent: str | None,
    capability: str | None,
    repository_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[Row]:
    """Instances of a project, newest first; filters apply before the limit."""
    # Those that have ended are many, and outside the index of those that have not.
    running = "" if not statuses or "ended" in statuses else "AND i.ended_at IS NULL"
    return tx.run(
        f"""
        SELECT {_COLUMNS} {_FROM}
        WHERE i.team_id = %(team)s AND i.project_id = %(project)s {running}
          AND (%(statuses)s::text[] = '{{}}' OR i.status = ANY(%(statuses)s))
          AND (%(agent)s::text IS NULL OR i.agent_name = %(agent)s)
          AND (%(capability)s::text IS NULL OR %(capability)s = ANY(i.capabilities))
          AND (%(repository)s::uuid IS NULL OR i.repository_id = %(repository)s)
          AND (%(before)s::uuid IS NULL OR i.id < %(before)s)
        ORDER BY i.id DESC LIMIT %(limit)s
        """,
        {
            "team": tx.team_id,
            "project": project_id,
            "statuses": list(statuses),
            "agent": agent,
            "capability": capability,
            "repository": repository_id,
            "before": before,
            "limit": limit,
        },
    ).fetchall()


def agent_names(tx: Transaction, instance_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The agent names of some instances."""
    rows = tx.run(
        "SELECT id, agent_name FROM coordination_instance WHERE team_id = %s AND id = ANY(%s)",
        [tx.team_id, list(instance_ids)],
    ).fetchall()
    return {row["id"]: row["agent_name"] for row in rows}


def agent_id(tx: Transaction, project_id: UUID, name: str, fresh: UUID) -> UUID:
    """The id of an agent name in a project, made when new."""
    tx.run(
        "INSERT INTO coordination_agent (id, team_id, project_id, name, created_at)"
        " VALUES (%s, %s, %s, %s, clock_timestamp()) ON CONFLICT (team_id, project_id, name) DO NOTHING",
        [fresh, tx.team_id, project_id, name],
    )
    row = tx.run(
        "SELECT id FROM coordination_agent WHERE team_id = %s AND project_id = %s AND name = %s",
        [tx.team_id, project_id, name],
    ).fetchone()
    assert row is not None
    found: UUID = row["id"]
    return found


def find_run(tx: Transaction, names: Row) -> Row | None:
    """The live instance of the same run (credential, agent, worktree, thread), locked; None when there is none."""
    return tx.run(
        f"""SELECT {_COLUMNS} {_FROM}
        WHERE i.team_id = %(team)s AND i.project_id = %(project)s AND i.credential = %(credential)s
          AND i.agent_id = %(agent_id)s AND i.worktree = %(worktree)s AND i.thread_id = %(thread_id)s
          AND i.ended_at IS NULL FOR NO KEY UPDATE OF i""",
        names | {"team": tx.team_id},
    ).fetchone()


def insert(tx: Transaction, names: Row) -> None:
    """A new instance; ``names`` holds every column but the team."""
    columns = ", ".join(names)
    values = ", ".join(f"%({name})s" for name in names)
    tx.run(
        f"INSERT INTO coordination_instance (team_id, {columns}, registered_at, last_seen)"
        f" VALUES (%(team)s, {values}, clock_timestamp(), clock_timestamp())",
        names | {"team": tx.team_id},
    )


def update(tx: Transaction, instance_id: UUID, changes: Row) -> None:
    """Change some columns of an instance and renew its presence."""
    sets = "".join(f"{name} = %({name})s, " for name in changes)
    tx.run(
        f"UPDATE coordination_instance SET {sets} last_seen = clock_timestamp()"
        " WHERE team_id = %(team)s AND id = %(id)s",
        changes | {"team": tx.team_id, "id": instance_id},
    )


def resume(tx: Transaction, instance_id: UUID) -> int:
    """Raise the epoch of a run that came back; the new epoch."""
    row = tx.run(
        "UPDATE coordination_instance SET epoch = epoch + 1, status = 'active', last_seen = clock_timestamp()"
        " WHERE team_id = %s AND id = %s RETURNING epoch",
        [tx.team_id, instance_id],
    ).fetchone()
    assert row is not None
    return int(row["epoch"])


def end(tx: Transaction, instance_id: UUID) -> list[UUID]:
    """End an instance and the instances it started; the ids that were still running.

    Waits for grants to them that are being written: whoever asks afterwards what they hold sees everything.
    """
    rows = tx.run(
        """
        WITH RECURSIVE family AS (
            SELECT id FROM coordination_instance WHERE team_id = %(team)s AND id = %(id)s
            UNION SELECT i.id FROM coordination_instance i JOIN family f ON i.parent_id = f.id
            WHERE i.team_id = %(team)s
        ), running AS (
            SELECT id FROM coordination_instance
            WHERE team_id = %(team)s AND id IN (SELECT id FROM family) AND ended_at IS NULL ORDER BY id FOR UPDATE
        )
        UPDATE coordination_instance i SET status = 'ended', ended_at = clock_timestamp()
        FROM running WHERE i.team_id = %(team)s AND i.id = running.id RETURNING i.id
        """,
        {"team": tx.team_id, "id": instance_id},
    ).fetchall()
    return [row["id"] for row in rows]


def touch(tx: Transaction, instance_ids: Sequence[UUID]) -> None:
    """Presence of some instances (their roots among them). Locked in id order, so two flushers never lock crosswise."""
    tx.run(
        """
        UPDATE coordination_instance SET last_seen = clock_timestamp(),
               status = CASE WHEN status IN ('stale', 'gone') THEN 'active' ELSE status END
        WHERE team_id = %(team)s AND id = ANY(ARRAY(
            SELECT id FROM coordination_instance
            WHERE team_id = %(team)s AND id = ANY(%(ids)s::uuid[]) AND ended_at IS NULL
            ORDER BY id FOR NO KEY UPDATE))
        """,
        {"team": tx.team_id, "ids": list(instance_ids)},
    )


def fell_silent(tx: Transaction, project_id: UUID) -> list[Row]:
    """Instances that turned stale (silent beyond the idle limit) or gone (beyond the grace), marked as such."""
    return tx.run(
        """
        WITH late AS (
            SELECT i.id, CASE WHEN i.last_seen < clock_timestamp() - make_interval(secs => p.idle_limit_s + p.grace_s)
                              THEN 'gone' ELSE 'stale' END AS becomes
            FROM coordination_instance i JOIN tenants_project p ON p.team_id = i.team_id AND p.id = i.project_id
            WHERE i.team_id = %(team)s AND i.project_id = %(project)s AND i.ended_at IS NULL
              AND i.status <> 'gone' AND p.idle_limit_s > 0
              AND i.last_seen < clock_timestamp() - make_interval(secs => p.idle_limit_s)
            ORDER BY i.id FOR NO KEY UPDATE OF i SKIP LOCKED
        )
        UPDATE coordination_instance i SET status = late.becomes FROM late
        WHERE i.team_id = %(team)s AND i.id = late.id AND i.status <> late.becomes
        RETURNING i.id, i.agent_name, i.status, i.last_seen
        """,
        {"team": tx.team_id, "project": project_id},
    ).fetchall()

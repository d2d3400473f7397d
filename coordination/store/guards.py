"""Statements of the guard: who calls and what stands near, in one; and what is known of a run's hooks."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from coordination.store.grounds import NEAR, Place, where
from coordination.store.instances import HEADER_BY_ID, HEADER_BY_PLACE, HEADER_BY_RUN
from tenants.db import Row, Transaction

# The header's columns of the same names are the holder's.
_OWN = """own.parent_id AS own_parent_id, own.status AS own_status, own.tool AS own_tool, own.model AS own_model,
       own.thread_id AS own_thread_id, own.capabilities AS own_capabilities, own.intent AS own_intent,
       own.lane AS own_lane, own.registered_at AS own_registered_at, own.last_seen AS own_last_seen, own.guard_door,
       own.guard_started_at, own.guard_judged_at, own.guard_missed_at, own.guard_probe, own.guard_probed_at,
       s.slug AS own_repository"""
_NAMES = ("parent_id", "status", "tool", "model", "thread_id", "capabilities", "intent", "lane", "registered_at")
_LOOK = f"""
SELECT header.*, {_OWN}, (SELECT json_agg(near) FROM ({NEAR}) AS near) AS near
FROM ({{header}}) AS header
LEFT JOIN coordination_instance own ON own.team_id = %(team)s AND own.id = header.id
LEFT JOIN tenants_repository s ON s.team_id = %(team)s AND s.id = header.repository_id
"""
_LOOK_BY_ID = _LOOK.format(header=HEADER_BY_ID)
_LOOK_BY_RUN = _LOOK.format(header=HEADER_BY_RUN)
_LOOK_BY_PLACE = _LOOK.format(header=HEADER_BY_PLACE)


def look(
    tx: Transaction,
    project_id: UUID,
    places: Iterable[Place],
    *,
    instance_id: UUID | None,
    run: Row,
    modes: Sequence[str],
) -> list[Row]:
    """The header (store.instances) with the run's own columns, and ``near``: ground of everybody, one's own included.

    The run is found by its id, else by ``run``: ``credential``, ``agent``, ``worktree`` (null: any), ``thread`` (null:
    any). Columns are null where there is none; two rows where several could be meant.
    """
    names = where(tx, places, None, modes) | run | {"project": project_id, "instance": instance_id}
    if instance_id is not None:
        return tx.run(_LOOK_BY_ID, names).fetchall()
    return tx.run(_LOOK_BY_PLACE if run["thread"] is None else _LOOK_BY_RUN, names).fetchall()


def own(row: Row) -> Row:
    """The acting run of a ``look`` as a row of store.instances."""
    names = {name: row[f"own_{name}"] for name in _NAMES}
    return row | names | {"last_seen": row["own_last_seen"], "repository": row["own_repository"]}


def worktree_of(tx: Transaction, project_id: UUID, run: Row) -> str | None:
    """The worktree that a live run (``credential``, ``agent``, ``thread``) was registered with; None for no run."""
    row = tx.run(
        """
        SELECT i.worktree FROM coordination_instance i
        JOIN coordination_agent a ON a.team_id = i.team_id AND a.id = i.agent_id
        WHERE i.team_id = %(team)s AND i.project_id = %(project)s AND i.credential = %(credential)s
          AND a.name = %(agent)s AND i.thread_id = %(thread)s AND i.ended_at IS NULL
        ORDER BY i.id DESC LIMIT 1
        """,
        run | {"team": tx.team_id, "project": project_id},
    ).fetchone()
    return row["worktree"] if row else None


def start(tx: Transaction, instance_id: UUID, *, door: str, probe: str) -> None:
    """A session begins with a hook call by this door, and a probe is planted. What an older one proved is over."""
    tx.run(
        "UPDATE coordination_instance SET guard_door = %s, guard_probe = %s, guard_started_at = clock_timestamp(),"
        " guard_probed_at = NULL, guard_missed_at = NULL, status = 'active' WHERE team_id = %s AND id = %s",
        [door, probe, tx.team_id, instance_id],
    )


def call_in(tx: Transaction, instance_id: UUID, *, door: str, probe: str) -> bool:
    """The first hook call of a run whose session began without one; whether this was it. A probe is planted."""
    return bool(
        tx.run(
            "UPDATE coordination_instance SET guard_door = %s, guard_probe = %s"
            " WHERE team_id = %s AND id = %s AND guard_door = ''",
            [door, probe, tx.team_id, instance_id],
        ).rowcount
    )


def pause(tx: Transaction, instance_id: UUID) -> None:
    """Its session is over, its probe with it, and the run may go on as another session (``cleared``)."""
    tx.run(
        "UPDATE coordination_instance SET guard_started_at = NULL, guard_probe = '', status = 'idle',"
        " last_seen = clock_timestamp() WHERE team_id = %s AND id = %s AND ended_at IS NULL",
        [tx.team_id, instance_id],
    )


def retire(tx: Transaction, instance_id: UUID) -> None:
    """Another session of the same process goes on for it: nobody resumes it under its old thread any more."""
    tx.run(
        "UPDATE coordination_instance SET guard_started_at = NULL, guard_probe = '', thread_id = NULL, status = 'idle'"
        " WHERE team_id = %s AND id = %s AND ended_at IS NULL",
        [tx.team_id, instance_id],
    )


def cleared(tx: Transaction, project_id: UUID, run: Row, *, within_s: int) -> list[UUID]:
    """Paused runs of this ``credential``, ``agent`` and ``worktree``, seen within so many seconds; two at most."""
    rows = tx.run(
        """
        SELECT i.id FROM coordination_instance i
        JOIN coordination_agent a ON a.team_id = i.team_id AND a.id = i.agent_id
        WHERE i.team_id = %(team)s AND i.project_id = %(project)s AND i.credential = %(credential)s
          AND a.name = %(agent)s AND i.worktree = %(worktree)s AND i.thread_id IS NOT NULL AND i.ended_at IS NULL
          AND i.guard_door <> '' AND i.guard_started_at IS NULL AND i.guard_probe = '' AND i.status = 'idle'
          AND i.last_seen > clock_timestamp() - make_interval(secs => %(within)s) LIMIT 2
        """,
        run | {"team": tx.team_id, "project": project_id, "within": within_s},
    ).fetchall()
    return [row["id"] for row in rows]


def judged(tx: Transaction, instance_ids: Sequence[UUID], *, every_s: int) -> None:
    """Edits of these runs were judged; written at most so often, but at once where it proves something new.

    Locked in id order, as presence is.
    """
    tx.run(
        """
        UPDATE coordination_instance SET guard_judged_at = clock_timestamp()
        WHERE team_id = %(team)s AND id = ANY(ARRAY(
            SELECT id FROM coordination_instance
            WHERE team_id = %(team)s AND id = ANY(%(ids)s::uuid[]) AND ended_at IS NULL
              AND (guard_judged_at IS NULL OR guard_judged_at < clock_timestamp() - make_interval(secs => %(every)s)
                   OR guard_judged_at <= guard_started_at OR guard_judged_at <= guard_missed_at)
            ORDER BY id FOR NO KEY UPDATE))
        """,
        {"team": tx.team_id, "ids": list(instance_ids), "every": every_s},
    )


def probed(tx: Transaction, instance_id: UUID, probe: str) -> bool:
    """The planted probe was tried, and refused; whether that is news."""
    return bool(
        tx.run(
            "UPDATE coordination_instance SET guard_probed_at = clock_timestamp()"
            " WHERE team_id = %s AND id = %s AND guard_probe = %s AND guard_probed_at IS NULL",
            [tx.team_id, instance_id, probe],
        ).rowcount
    )


def missed(tx: Transaction, instance_id: UUID) -> None:
    """An edit was found that no guard had judged."""
    tx.run(
        "UPDATE coordination_instance SET guard_missed_at = clock_timestamp() WHERE team_id = %s AND id = %s",
        [tx.team_id, instance_id],
    )


def rest(tx: Transaction, instance_id: UUID, status: str) -> None:
    """Between two turns (``idle``), or at work again (``active``). Presence, no mutation: the ledger does not hear."""
    tx.run(
        "UPDATE coordination_instance SET status = %(status)s, last_seen = clock_timestamp()"
        " WHERE team_id = %(team)s AND id = %(id)s AND ended_at IS NULL AND status <> %(status)s",
        {"team": tx.team_id, "id": instance_id, "status": status},
    )


def neighbours(tx: Transaction, project_id: UUID, *, root_id: UUID, host: str, worktree: str) -> list[Row]:
    """Live runs of other holders in the same checkout. A host that one of the two did not tell is taken for the same.

    ``lapses_at`` is when one is taken for gone if it stays silent.
    """
    return tx.run(
        """
        SELECT i.id, i.agent_name, i.root_id, i.branch, i.intent, i.lane, i.status, i.last_seen
        FROM coordination_instance i
        JOIN tenants_project p ON p.team_id = i.team_id AND p.id = i.project_id
        WHERE i.team_id = %(team)s AND i.project_id = %(project)s AND i.ended_at IS NULL AND i.status <> 'gone'
          AND i.root_id <> %(root)s AND i.worktree = %(worktree)s AND i.worktree <> ''
          AND (i.host = %(host)s OR i.host = '' OR %(host)s = '')
          AND (p.idle_limit_s = 0
               OR i.last_seen + make_interval(secs => p.idle_limit_s + p.grace_s) > clock_timestamp())
        ORDER BY i.last_seen DESC LIMIT 5
        """,
        {"team": tx.team_id, "project": project_id, "root": root_id, "host": host, "worktree": worktree},
    ).fetchall()

"""Statements over messages and their receipts."""

from collections.abc import Sequence
from uuid import UUID

from tenants.db import Row, Transaction

_SHOWN = """m.id, m.sender_kind, m.sender_id, m.sender_name, m.instance_id, m.agent_name, m.door, m.to, m.kind, m.text,
       m.thread_id, m.reply_to, m.ack_required, m.importance, m.at,
       ARRAY(SELECT jsonb_build_object('instance', r.instance_id, 'agent', r.agent_name, 'at', r.at)
             FROM coordination_receipt r
             WHERE r.team_id = m.team_id AND r.message_id = m.id ORDER BY r.at) AS receipts
FROM coordination_message m"""


def insert(tx: Transaction, names: Row) -> None:
    """A new message; ``names`` holds every column but team and time."""
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f"%({name})s" for name in names)
    tx.run(
        f"INSERT INTO coordination_message (team_id, at, {columns}) VALUES (%(team)s, clock_timestamp(), {values})",
        names | {"team": tx.team_id},
    )


def by_ids(tx: Transaction, project_id: UUID, ids: Sequence[UUID]) -> list[Row]:
    """Some messages, oldest first."""
    return tx.run(
        f"SELECT {_SHOWN} WHERE m.team_id = %s AND m.project_id = %s AND m.id = ANY(%s) ORDER BY m.id",
        [tx.team_id, project_id, list(ids)],
    ).fetchall()


def listed(tx: Transaction, project_id: UUID, *, thread_id: UUID | None, before: UUID | None, limit: int) -> list[Row]:
    """Messages of a project or a thread, newest first."""
    return tx.run(
        f"""SELECT {_SHOWN} WHERE m.team_id = %(team)s AND m.project_id = %(project)s
        AND (%(thread)s::uuid IS NULL OR m.thread_id = %(thread)s)
        AND (%(before)s::uuid IS NULL OR m.id < %(before)s) ORDER BY m.id DESC LIMIT %(limit)s""",
        {"team": tx.team_id, "project": project_id, "thread": thread_id, "before": before, "limit": limit},
    ).fetchall()


def acknowledge(
    tx: Transaction, ids: Sequence[UUID], messages: Sequence[UUID], *, instance_id: UUID, agent: str
) -> list[UUID]:
    """Write receipts; the messages that had none from this instance."""
    rows = tx.run(
        "INSERT INTO coordination_receipt (id, team_id, message_id, instance_id, agent_name, at)"
        " SELECT u.id, %(team)s, u.message, %(instance)s, %(agent)s, clock_timestamp()"
        " FROM unnest(%(ids)s::uuid[], %(messages)s::uuid[]) AS u(id, message)"
        " ON CONFLICT (team_id, message_id, instance_id) DO NOTHING RETURNING message_id",
        {
            "team": tx.team_id,
            "instance": instance_id,
            "agent": agent,
            "ids": list(ids),
            "messages": list(messages),
        },
    ).fetchall()
    return [row["message_id"] for row in rows]


def move_cursor(tx: Transaction, instance_id: UUID, cursor: int) -> None:
    """Move an instance's inbox cursor forwards; never back, never past what was published."""
    tx.run(
        "UPDATE coordination_instance i SET inbox_cursor = greatest(i.inbox_cursor, least(%(cursor)s, h.last_seq))"
        " FROM tenants_ledgerhead h WHERE h.team_id = i.team_id AND h.project_id = i.project_id"
        " AND i.team_id = %(team)s AND i.id = %(id)s",
        {"team": tx.team_id, "id": instance_id, "cursor": cursor},
    )

"""Messages and inboxes as they are shown."""

from datetime import datetime
from typing import Any
from uuid import UUID

from coordination.store import messages
from tenants import ids, ledger
from tenants.db import Row, Transaction

Shape = dict[str, Any]


def message(row: Row) -> Shape:
    """Message. ``sender`` is verified provenance: the credential, the door, and the run where there was one."""
    return {
        "id": ids.show("msg", row["id"]),
        "thread": ids.show("msg", row["thread_id"]),
        "reply_to": ids.show("msg", row["reply_to"]) if row["reply_to"] else None,
        "to": row["to"],
        "kind": row["kind"],
        "importance": row["importance"],
        "text": row["text"],
        "ack_required": row["ack_required"],
        "at": row["at"],
        "sender": {
            "kind": row["sender_kind"],
            "id": row["sender_id"],
            "name": row["sender_name"],
            "agent": row["agent_name"] or None,
            "instance": ids.show("ins", row["instance_id"]) if row["instance_id"] else None,
            "door": row["door"],
        },
        "receipts": [_receipt(receipt) for receipt in row["receipts"]],
    }


def _receipt(stored: Shape) -> Shape:
    instance = ids.show("ins", UUID(stored["instance"]))
    return {"instance": instance, "agent": stored["agent"], "at": datetime.fromisoformat(stored["at"])}


def inbox(tx: Transaction, project_id: UUID, rows: list[Row], start: int) -> Shape:
    """An inbox page: each item is a ledger event, with its message where it is one. ``cursor`` is for the next call."""
    wanted = [ids.parse("msg", row["subject_id"]) for row in rows if row["subject_kind"] == "message"]
    found = (
        {
            ids.show("msg", row["id"]): message(row)
            for row in messages.by_ids(tx, project_id, [w for w in wanted if w is not None])
        }
        if wanted
        else {}
    )
    items = [ledger.show(row) | {"message": found.get(row["subject_id"])} for row in rows]
    return {"items": items, "cursor": str(rows[-1]["seq"] if rows else start)}

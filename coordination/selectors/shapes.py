"""Rows into the shapes that clients rely on: fields may be added, never removed or renamed."""

from datetime import datetime, timedelta
from typing import Any

from coordination.engine.ground import in_words
from coordination.engine.guard.state import guard_state
from coordination.engine.modes import Urgency
from tenants import ids
from tenants.db import Row

Shape = dict[str, Any]


def holder(row: Row) -> Shape:
    """Holder, from a row with the root instance's columns."""
    return {
        "agent": row["agent_name"],
        "instance": ids.show("ins", row["holder_id"]),
        "tool": row["tool"],
        "lane": row["lane"],
        "status": row["status"],
        "last_seen": row["last_seen"],
        "wakeable": False,
    }


def silence_limit(last_seen: datetime, idle_limit_s: int, grace_s: int) -> datetime | None:
    """When a holder's ground lapses if it stays silent; None where the project sets no idle limit."""
    return last_seen + timedelta(seconds=idle_limit_s + grace_s) if idle_limit_s else None


def scopes(stored: list[Shape], excepts: list[Shape]) -> list[Shape]:
    """Stored scopes with the exceptions there are now; scopes that were narrowed away have gone."""
    shown = []
    for scope in stored:
        if scope.get("dropped"):
            continue
        kind = scope.get("kind", "")
        taken = [{"pattern": in_words(kind, e["pattern"]), "symbols": []} for e in excepts if e["scope"] == scope["n"]]
        shown.append(
            {
                "repository": scope["repository"],
                "pattern": scope["pattern"],
                "symbols": [],
                "except": taken,
            }
        )
    return shown


def claim(row: Row) -> Shape:
    """Claim, from store.claims' shown columns. A held row that is no longer live shows as ``lapsed``."""
    state = row["state"]
    return {
        "id": ids.show("clm", row["id"]),
        "state": "lapsed" if state == "held" and not row["live"] else state,
        "scopes": scopes(row["scopes"], row["excepts"]),
        "mode": row["mode"],
        "holder": holder(row),
        "reason": row["reason"],
        "branch": row["branch"],
        "task": row["task"],
        "fence": row["fence"],
        "created_at": row["created_at"],
        "expires_at": row["expires_at"],
        "lapses_if_silent_after": silence_limit(row["last_seen"], row["idle_limit_s"], row["grace_s"]),
        "coexists_with": [ids.show("clm", other) for other in row["coexists_with"]],
        "took_over": row["took_over"],
        "verified": False,
        "offered": row["offered"],
        "narrowed": bool(row["excepts"]),
        "ended_at": row["ended_at"],
        "ended_by": row["ended_by"] or None,
        "warnings": [],
    }


def entry(row: Row, *, position: int, waiting_for: list[str], granted: Shape | None) -> Shape:
    """Queue entry, from store.queue's shown columns. Past its deadline it shows as expired."""
    state = row["state"]
    if state == "waiting" and row["overdue"]:
        state = "expired"
    return {
        "id": ids.show("que", row["id"]),
        "state": state,
        "position": position if state == "waiting" else 0,
        "scopes": scopes(row["scopes"], []),
        "mode": row["mode"],
        "holder": holder(row),
        "waiting_for": waiting_for,
        "urgency": Urgency(row["urgency"]).label,
        "enqueued_at": row["enqueued_at"],
        "deadline": row["deadline"],
        "held": row["waiter_until"] is not None and not row["waiter_dead"],
        "ended_why": row["ended_why"] or None,
        "claim": granted,
    }


def instance(row: Row, *, resumed: bool = False, cursor: int | None = None) -> Shape:
    """Instance, from store.instances' columns; ``handle`` names the epoch, so an older copy is told apart."""
    public = ids.show("ins", row["id"])
    return {
        "id": public,
        "handle": f"{public}.{row['epoch']}",
        "epoch": row["epoch"],
        "agent": row["agent_name"],
        "tool": row["tool"],
        "model": row["model"],
        "status": row["status"],
        "lane": row["lane"],
        "intent": row["intent"],
        "repository": row["repository"],
        "branch": row["branch"],
        "host": row["host"],
        "worktree": row["worktree"],
        "capabilities": row["capabilities"],
        "parent": ids.show("ins", row["parent_id"]) if row["parent_id"] else None,
        "holder": ids.show("ins", row["root_id"]),
        "resumed": resumed,
        "registered_at": row["registered_at"],
        "last_seen": row["last_seen"],
        "ended_at": row["ended_at"],
        "cursor": str(row["inbox_cursor"] if cursor is None else cursor),
        "guard": guard(row),
    }


def guard(row: Row) -> Shape:
    """What a run's guard is worth, from store.instances' columns (engine.guard.state)."""
    state = guard_state(
        policy=row["guard_policy"],
        door=row["guard_door"],
        started_at=row["guard_started_at"],
        judged_at=row["guard_judged_at"],
        missed_at=row["guard_missed_at"],
        probe=row["guard_probe"],
        probed_at=row["guard_probed_at"],
    )
    return {
        "state": state.state,
        "why": state.why,
        "door": row["guard_door"],
        "judged_at": row["guard_judged_at"],
    }

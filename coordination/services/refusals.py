"""How a refusal is told: who stands in the way, until when, and what can be done, at every door the same."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from coordination.engine.decide import Conflict, Decision
from coordination.engine.ground import Ground, in_words, written
from coordination.selectors import shapes
from coordination.services.deciding import WaitGraph
from coordination.store import claims, grounds, instances, queue
from coordination.store.scenes import Scene
from tenants import ids
from tenants.db import Row, Transaction
from tenants.problems import Code, Problem

_MAX_RETRY_S = 300
Shape = dict[str, Any]


def free_scopes(free: Sequence[Ground], shown: Sequence[Shape]) -> list[Shape]:
    """The part of what was wanted that is free, as scopes that can be claimed as they are."""
    scopes: list[Shape] = []
    for ground in free:
        source = shown[ground.scope]
        scopes.append(
            {
                "repository": source["repository"],
                "pattern": in_words(source["kind"], written(ground.pattern)),
                "symbols": [],
                "except": [{"pattern": in_words(source["kind"], written(p)), "symbols": []} for p in ground.excepts],
            }
        )
    return scopes


def conflicts_shown(
    tx: Transaction, project_id: UUID, decision: Decision, shown: Sequence[Shape], scene: Scene
) -> list[Shape]:
    """Each conflict with its holder, mode, reason and times. Two statements, however many there are."""
    claim_ids = {UUID(c.standing.id) for c in decision.conflicts if c.standing.kind == "claim"}
    entry_ids = {UUID(c.standing.id) for c in decision.conflicts if c.standing.kind == "queue_entry"}
    rows = {str(row["id"]): row for row in claims.by_ids(tx, project_id, list(claim_ids))} if claim_ids else {}
    if entry_ids:
        rows |= {str(row["id"]): row for row in queue.waiting(tx, project_id, ids=list(entry_ids))}
    waiting = len(scene.entries)
    return [
        _conflict(conflict, rows[conflict.standing.id], shown, scene, waiting)
        for conflict in decision.conflicts
        if conflict.standing.id in rows
    ]


def _conflict(conflict: Conflict, row: Row, shown: Sequence[Shape], scene: Scene, waiting: int) -> Shape:
    is_claim = conflict.standing.kind == "claim"
    held = next((s["pattern"] for s in row["scopes"] if s["n"] == conflict.held.scope), written(conflict.held.pattern))
    return {
        "wanted": shown[conflict.wanted.scope]["pattern"],
        "held": held,
        "repository": shown[conflict.wanted.scope]["repository"],
        "blocked_by": conflict.standing.kind,
        "claim": ids.show("clm" if is_claim else "que", row["id"]),
        "holder": shapes.holder(row),
        "mode": row["mode"],
        "reason": row["reason"] if is_claim else row["request"].get("reason", ""),
        "branch": row["branch"] if is_claim else row["request"].get("branch", ""),
        "since": row["created_at"] if is_claim else row["enqueued_at"],
        "expires_at": row["expires_at"] if is_claim else row["deadline"],
        "lapses_at": _moment(scene.ends.get(conflict.standing.id)),
        "fence": row["fence"] if is_claim else None,
        "paths": [],
        "symbols": [],
        "queue_length": waiting,
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def claim_conflict(conflicts: list[Shape], decision: Decision, narrow_to: list[Shape], now: datetime) -> Shape:
    """The problem document of a refused claim."""
    first = conflicts[0]
    ends = [c["lapses_at"] or c["expires_at"] for c in conflicts]
    soonest = min(ends)
    retry_after = max(1, min(_MAX_RETRY_S, int((soonest - now).total_seconds()) + 1))
    options: list[Shape] = [{"action": "wait", "wait_seconds": min(600, retry_after)}]
    if narrow_to:
        options.append({"action": "narrow_to", "scopes": narrow_to})
    options.append({"action": "message", "to": first["holder"]["instance"]})
    options.append({"action": "coexist", "mode": "advisory"})
    who = first["holder"]["agent"]
    verb = "is held by" if first["blocked_by"] == "claim" else "is awaited, before you, by"
    more = f", and {decision.total - 1} more" if decision.total > 1 else ""
    problem = Problem(
        Code.CLAIM_CONFLICT,
        f"{first['wanted']} {verb} {who} ({first['holder']['instance']}) until {soonest:%H:%M:%S} UTC{more}.",
        conflicts=conflicts,
        narrow_to=narrow_to,
        options=options,
        total=decision.total,
        retry_after=retry_after,
    )
    return problem.document()


def deadlock(tx: Transaction, graph: WaitGraph, circle: list[str], give_up: str) -> Shape:
    """The problem document of a wait that would close a circle: who holds what and waits for what, in turn."""
    names = instances.agent_names(tx, [UUID(holder) for holder in circle])
    steps = []
    for at, holder in enumerate(circle):
        following = circle[(at + 1) % len(circle)]
        entry, waits_for, _ = graph.stories[(holder, following)]
        _, _, holds = graph.stories[(circle[at - 1], holder)]
        steps.append(
            {
                "agent": names.get(UUID(holder), ""),
                "instance": ids.show("ins", UUID(holder)),
                "holds": holds,
                "waits_for": waits_for,
                "queue_entry": ids.show("que", UUID(entry)) if entry else None,
            }
        )
    told = "; ".join(f"{s['agent']} holds {s['holds']} and waits for {s['waits_for']}" for s in steps)
    problem = Problem(
        Code.DEADLOCK,
        f"This wait would close a circle: {told}.",
        cycle=steps,
        give_up=ids.show("que", UUID(give_up)) if give_up else None,
    )
    return problem.document()


def lost(tx: Transaction, project_id: UUID, claim_id: UUID, row: Row | None) -> Shape:
    """The problem document for a holder that woke up too late: why it ended, and who has the ground now."""
    places = [grounds.Place(g["root"], g["prefix"]) for g in grounds.of_claims(tx, [claim_id], ended=True)]
    now_held = _held_now(tx, project_id, places, claim_id)
    why = f"it is {row['state']}" + (f" ({row['ended_by']})" if row["ended_by"] else "") if row else "it ended"
    problem = Problem(
        Code.LOST,
        f"{ids.show('clm', claim_id)} is not yours any more: {why}.",
        claim=ids.show("clm", claim_id),
        fence=row["fence"] if row else None,
        held_by=shapes.holder(now_held) if now_held else None,
        fence_now=now_held["fence"] if now_held else None,
    )
    return problem.document()


def _held_now(tx: Transaction, project_id: UUID, places: list[grounds.Place], claim_id: UUID) -> Row | None:
    if not places:
        return None
    rows = grounds.candidates(tx, places, holder_id=None, hostile=["exclusive", "shared", "read"]).fetchall()
    near = {UUID(row["claim_id"]) for row in rows if row["claim_id"] and row["live"]} - {claim_id}
    held = [row for row in claims.by_ids(tx, project_id, list(near)) if row["live"] and row["mode"] != "advisory"]
    return max(held, key=lambda row: row["fence"], default=None)

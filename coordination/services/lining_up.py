"""Lining up: a request that cannot be granted now goes into the queue (claims.md, "Queue")."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from coordination.engine.decide import Decision, Wanted, decide
from coordination.engine.modes import Urgency
from coordination.engine.waits import victim
from coordination.selectors import shapes
from coordination.services import deciding, drains, refusals
from coordination.services.acting import Acting
from coordination.services.deciding import WaitGraph
from coordination.services.granting import Terms, check_placed
from coordination.services.placing import Placed, except_rows, ground_rows
from coordination.services.requests import ClaimRequest
from coordination.services.results import Answer
from coordination.services.waiting import LOOK_AGAIN_S, EntryWait
from coordination.store import grounds, queue
from coordination.store.scenes import Scene
from tenants import ids, ledger
from tenants.db import Transaction
from tenants.ledger import Fact
from tenants.principal import Principal
from tenants.problems import Code, Problem
from tenants.selectors.projects import ProjectRef

DEADLINE_SECONDS = 15 * 60
Shape = dict[str, Any]


def enqueue(
    tx: Transaction,
    principal: Principal,
    ref: ProjectRef,
    me: Acting,
    placed: Placed,
    terms: Terms,
    scene: Scene,
    decision: Decision,
    request: ClaimRequest,
    urgency: Urgency,
) -> Answer:
    """Put a request that cannot be granted now into the queue, unless that would close a circle of waits.

    Runs under the ground's locks, so no release can pass between the decision and this.
    """
    _check_count(tx, ref, me)
    grounds.lock_wait_graph(tx, ref.id)
    if decision.total > len(decision.conflicts):
        # What is told is cut; a circle may go through any of those in the way.
        decision = decide(Wanted(str(me.holder_id), terms.mode, placed.grounds), scene.live, limit=deciding.ALL)
    circle = _deadlock(tx, principal, ref, me, decision)
    if circle is not None:
        return circle
    wait = request.wait_seconds or 0
    entry_id = ids.new_id()
    deadline = request.deadline_seconds or max(DEADLINE_SECONDS, wait)
    _write(tx, ref, me, placed, terms, entry_id, urgency, deadline=deadline, wait=wait, keep=request.idempotent)
    public = ids.show("que", entry_id)
    blockers = [_blocker(c.standing.kind, c.standing.id) for c in decision.conflicts[:20]]
    fact = Fact("claim.queued", "queue_entry", public, {"agent": me.agent, "blocked_by": blockers})
    ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=me.instance_id)
    row = queue.find(tx, ref.id, entry_id)
    assert row is not None
    position = queue.position(tx, ref.id, row)
    body = shapes.entry(row, position=position, waiting_for=blockers, granted=None)
    if not wait:
        return Answer("queued", body)
    soonest = min((scene.ends[c.standing.id] for c in decision.conflicts if c.standing.id in scene.ends), default=None)
    first_look = soonest - me.now.timestamp() + 0.02 if soonest else LOOK_AGAIN_S
    waiting = EntryWait(principal, ref, entry_id, seconds=wait, first_look=first_look)
    tx.after_commit(lambda: drains.waiters.add(principal.team_id, entry_id, waiting.abandon))
    return Answer("queued", body, hold=waiting.hold())


def _check_count(tx: Transaction, ref: ProjectRef, me: Acting) -> None:
    limit = me.policy["max_queued_per_agent"]
    if limit and (waiting := queue.count_waiting(tx, ref.id, me.holder_id)) >= limit:
        raise Problem(
            Code.LIMIT_EXCEEDED,
            f"{me.agent} waits in {waiting} places; the project allows {limit}. Cancel one first.",
            figure=waiting,
            limit=limit,
        )


def _deadlock(tx: Transaction, principal: Principal, ref: ProjectRef, me: Acting, decision: Decision) -> Answer | None:
    graph = WaitGraph(tx, ref.id)
    graph.add(str(me.holder_id), decision)
    circle = graph.circle(str(me.holder_id))
    if circle is None:
        return None
    on_circle = [
        graph.entries[entry]
        for at, holder in enumerate(circle)
        if (entry := graph.stories[(holder, circle[(at + 1) % len(circle)])][0])
    ]
    document = refusals.deadlock(tx, graph, circle, victim(on_circle) if on_circle else "")
    said = {"agent": me.agent, "cycle": [step["agent"] for step in document["cycle"]]}
    fact = Fact("deadlock.refused", "instance", ids.show("ins", me.instance_id), said)
    ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=me.instance_id)
    return Answer("deadlock", document)


def _blocker(kind: str, standing_id: str) -> str:
    return ids.show("clm" if kind == "claim" else "que", UUID(standing_id))


def _write(
    tx: Transaction,
    ref: ProjectRef,
    me: Acting,
    placed: Placed,
    terms: Terms,
    entry_id: UUID,
    urgency: Urgency,
    *,
    deadline: int,
    wait: int,
    keep: bool,
) -> None:
    queue.insert(
        tx,
        {
            "id": entry_id,
            "project": ref.id,
            "holder": me.holder_id,
            "instance": me.instance_id,
            "mode": terms.mode.value,
            "urgency": int(urgency),
            "scopes": Jsonb(placed.shown),
            "request": Jsonb(asdict(terms)),
            "deadline": deadline,
            "held": wait > 0,
            "waiter": drains.WAITER_SECONDS,
            "keep": keep,
            "keys": [key.key for key in placed.plan],
            "exclusive": [key.exclusive for key in placed.plan],
        },
    )
    written = grounds.insert(
        tx,
        {
            "project": ref.id,
            "claim": None,
            "entry": entry_id,
            "holder": me.holder_id,
            "mode": terms.mode.value,
            "ground": grounds.dumps(ground_rows(placed.grounds)),
        },
    )
    check_placed(written, placed, ref.id)
    grounds.insert_excepts(tx, claim=None, entry=entry_id, excepts=except_rows(placed.grounds))

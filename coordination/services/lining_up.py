"""Waiting in line: enqueueing a refused request, and holding on to it (claims.md, "Queue")."""

import time
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
from coordination.services.results import Answer, Hold
from coordination.store import claims, grounds, queue
from coordination.store.scenes import Scene
from tenants import ids, ledger
from tenants.db import Row, Transaction, transaction
from tenants.ledger import Fact
from tenants.principal import Principal
from tenants.problems import Code, Problem
from tenants.selectors.projects import ProjectRef

# An entry counts while its waiter was renewed this recently; the process that holds it renews well within that.
WAITER_SECONDS = 15
DEADLINE_SECONDS = 15 * 60
# Waiters look again when what blocks them could lapse; never later than this, whatever was missed.
_LOOK_AGAIN_S = 5.0
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
    tx.after_commit(lambda: drains.waiters.add(principal.team_id, entry_id))
    soonest = min((scene.ends[c.standing.id] for c in decision.conflicts if c.standing.id in scene.ends), default=None)
    first_look = soonest - me.now.timestamp() + 0.02 if soonest else _LOOK_AGAIN_S
    return Answer("queued", body, hold=hold(principal, ref, entry_id, wait, first_look=first_look))


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
            "waiter": WAITER_SECONDS,
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


def hold(
    principal: Principal,
    ref: ProjectRef,
    entry_id: UUID,
    seconds: float,
    *,
    first_look: float,
    as_claim: bool = True,
) -> Hold:
    """How a door waits for this entry. The entry must be among this process's waiters."""
    state = {"look_at": time.monotonic() + first_look}

    def again() -> Answer:
        answer = state_of(principal, ref, entry_id, as_claim=as_claim)
        if answer.kind == "queued":
            # What was in its way when it came may have gone, and something shorter come: nobody tells it of that.
            now = time.monotonic()
            due = now >= state["look_at"]
            moments = drains.drain_shared(principal.team_id, ref.id, age=0.0 if due else _LOOK_AGAIN_S)
            later = now + _LOOK_AGAIN_S if due else state["look_at"]
            state["look_at"] = min(later, moments.get(str(entry_id), later))
            if str(entry_id) not in moments:  # it has been granted, or came after that drain
                answer = state_of(principal, ref, entry_id, as_claim=as_claim)
        if answer.kind != "queued":
            drains.waiters.discard(principal.team_id, entry_id)
            return answer
        left = state["look_at"] - time.monotonic()
        return Answer("queued", answer.body, hold=_again(left))

    def give_up() -> Answer:
        drains.waiters.discard(principal.team_id, entry_id)
        return state_of(principal, ref, entry_id, unheld=True, as_claim=as_claim)

    def abandon() -> None:
        drains.waiters.discard(principal.team_id, entry_id)
        _abandon(principal, ref, entry_id)

    def _again(left: float) -> Hold:
        look_again = max(0.02, min(left, _LOOK_AGAIN_S))
        return Hold(frozenset({f"que:{entry_id}"}), seconds, again, give_up, abandon, look_again)

    return _again(first_look)


def state_of(
    principal: Principal,
    ref: ProjectRef,
    entry_id: UUID,
    *,
    unheld: bool = False,
    taking: bool = True,
    as_claim: bool = True,
) -> Answer:
    """What has become of an entry: ``queued``, ``granted``, or how it ended.

    ``unheld`` says that nobody holds a connection for it from now on; ``taking`` takes up an offer; ``as_claim`` has a
    grant answered by its claim, as the request for it was, and not by the entry that holds it.
    """
    with transaction(principal.team_id) as tx:
        if unheld:
            # Before the look: a grant that is just being written is seen, one that comes later is an offer.
            queue.set_waiter(tx, entry_id, seconds=None)
        row = queue.find(tx, ref.id, entry_id)
        if row is None:
            raise Problem(Code.NOT_FOUND, "There is no such queue entry here.")
        if row["state"] == "granted":
            return _granted(tx, ref, row, taking=taking, as_claim=as_claim)
        if row["state"] == "deadlocked":
            problem = Problem(Code.DEADLOCK, row["ended_why"], cycle=[], give_up=ids.show("que", entry_id))
            return Answer("deadlock", problem.document())
        body = shapes.entry(row, position=queue.position(tx, ref.id, row), waiting_for=[], granted=None)
        return Answer("queued" if body["state"] == "waiting" else "ok", body)


def _granted(tx: Transaction, ref: ProjectRef, row: Row, *, taking: bool, as_claim: bool) -> Answer:
    claim_id: UUID = row["claim_id"]
    claim = claims.by_ids(tx, ref.id, [claim_id])[0]
    if taking and claim["offered"] and claim["live"]:
        claims.renew(tx, ref.id, [claim_id], holder_id=row["holder_id"], ttl_s=None)
        claim = claims.by_ids(tx, ref.id, [claim_id])[0]
    shown = shapes.claim(claim)
    if as_claim:
        return Answer("granted", shown)
    return Answer("ok", shapes.entry(row, position=0, waiting_for=[], granted=shown))


def _abandon(principal: Principal, ref: ProjectRef, entry_id: UUID) -> None:
    """The client went away: cancel the entry, or release what it was granted in between.

    A request with an idempotency key may come back for its answer, so its entry stays, held by nobody.
    """
    with transaction(principal.team_id) as tx:
        row = queue.find(tx, ref.id, entry_id)
        if row is None:
            return
        if row["keep"]:
            queue.set_waiter(tx, entry_id, seconds=None)
            return
        public = ids.show("que", entry_id)
        facts = []
        if queue.end(tx, [entry_id], state="cancelled", why="the client went away"):
            facts.append(Fact("queue.cancelled", "queue_entry", public, {"why": "the client went away"}))
        else:
            row = queue.find(tx, ref.id, entry_id)
            if row is not None and row["claim_id"] is not None:
                _release_ungrasped(tx, principal, ref, row)
        if facts:
            ledger.append(tx, principal, facts, project_id=ref.id, instance_id=row["instance_id"] if row else None)
    drains.drain_soon(principal.team_id, ref.id)


def _release_ungrasped(tx: Transaction, principal: Principal, ref: ProjectRef, row: Row) -> None:
    """Release what an entry was granted after its client had gone: it never learned of it."""
    claim_id: UUID = row["claim_id"]
    grounds.lock_claims(tx, ref.id, [claim_id])
    claims.release(
        tx,
        ref.id,
        {claim_id: ids.show("clm", claim_id)},
        holder_id=row["holder_id"],
        state="released",
        by="the waiter had gone",
        said=ledger.prepare(tx, principal, [], project_id=ref.id, instance_id=row["instance_id"]),
    )

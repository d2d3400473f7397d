"""An entry of the queue as its caller sees it: what has become of it, waiting for it, and going away.

A wait holds no thread and no connection (results.Hold): the door calls back when there may be news.
"""

import time
from uuid import UUID

from coordination.selectors import shapes
from coordination.services import drains
from coordination.services.results import Answer, Hold
from coordination.store import claims, grounds, queue
from tenants import ids, ledger
from tenants.db import Row, Transaction, transaction
from tenants.ledger import Fact
from tenants.principal import Principal
from tenants.problems import Code, Problem
from tenants.selectors.projects import ProjectRef

# Waiters look again when what blocks them could lapse; never later than this, whatever was missed.
LOOK_AGAIN_S = 5.0


class EntryWait:
    """One caller's wait for an entry, in this process. The entry must be among the process's waiters."""

    def __init__(
        self,
        principal: Principal,
        ref: ProjectRef,
        entry_id: UUID,
        *,
        seconds: float,
        first_look: float,
        as_claim: bool = True,
    ) -> None:
        self._principal = principal
        self._ref = ref
        self._entry_id = entry_id
        self._seconds = seconds
        self._as_claim = as_claim
        self._look_at = time.monotonic() + first_look

    def hold(self) -> Hold:
        """How a door goes on waiting."""
        left = self._look_at - time.monotonic()
        return Hold(
            frozenset({f"que:{self._entry_id}"}),
            self._seconds,
            self._again,
            self._give_up,
            self.abandon,
            max(0.02, min(left, LOOK_AGAIN_S)),
        )

    def _again(self) -> Answer:
        answer = self._state()
        if answer.kind == "queued":
            # What was in its way when it came may have gone, and something shorter come: nobody tells it of that.
            now = time.monotonic()
            due = now >= self._look_at
            age = 0.0 if due else LOOK_AGAIN_S
            moments = drains.drain_shared(self._principal.team_id, self._ref.id, age=age)
            later = now + LOOK_AGAIN_S if due else self._look_at
            self._look_at = min(later, moments.get(str(self._entry_id), later))
            if str(self._entry_id) not in moments:  # it has been granted, or came after that drain
                answer = self._state()
        if answer.kind == "queued":
            return Answer("queued", answer.body, hold=self.hold())
        drains.waiters.discard(self._principal.team_id, self._entry_id)
        return answer

    def _give_up(self) -> Answer:
        drains.waiters.discard(self._principal.team_id, self._entry_id)
        return self._state(unheld=True)

    def abandon(self) -> None:
        """Nobody holds a connection for it any more: leave the line, or give back what was granted meanwhile."""
        drains.waiters.discard(self._principal.team_id, self._entry_id)
        abandon(self._principal, self._ref, self._entry_id)

    def _state(self, *, unheld: bool = False) -> Answer:
        return state_of(self._principal, self._ref, self._entry_id, unheld=unheld, as_claim=self._as_claim)


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


def abandon(principal: Principal, ref: ProjectRef, entry_id: UUID) -> None:
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

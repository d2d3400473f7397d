"""A caller's view of its queue entries: come back to one, or give it up."""

from uuid import UUID

from coordination import notify
from coordination.services import acting, drains, waiting
from coordination.services.results import Answer
from coordination.store import queue
from tenants import ids, ledger
from tenants.db import transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import not_found
from tenants.selectors.projects import ProjectRef, project_resolve


def attach(
    principal: Principal,
    project: str,
    entry_id: str,
    wait_seconds: int | None = None,
    *,
    as_claim: bool = False,
) -> Answer:
    """What has become of an entry, with its claim once it is granted; ``wait_seconds`` holds on to it again.

    Reading a grant takes up an offer, where the caller is its holder; others may look. ``as_claim`` answers a grant as
    the request for it would have been: by the claim.
    """
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    found = _parse(entry_id)
    mine = _is_mine(principal, ref, found)
    if mine and wait_seconds:
        with transaction(principal.team_id) as tx:
            queue.set_waiter(tx, found, seconds=drains.WAITER_SECONDS)
    answer = waiting.state_of(principal, ref, found, taking=mine, as_claim=as_claim)
    if not (mine and wait_seconds and answer.kind == "queued"):
        return answer
    again = waiting.EntryWait(principal, ref, found, seconds=wait_seconds, first_look=0.0, as_claim=as_claim)
    drains.waiters.add(principal.team_id, found, again.abandon)
    return Answer("queued", answer.body, hold=again.hold())


def cancel(principal: Principal, project: str, entry_id: str) -> Answer:
    """Give up waiting. Idempotent: an entry that has ended is answered as it is."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    found = _parse(entry_id)
    if not _is_mine(principal, ref, found):
        principal.require(Permission.CLAIMS_RELEASE_ANY)
    with transaction(principal.team_id) as tx:
        why = f"cancelled by {principal.actor.name}"
        if queue.end(tx, [found], state="cancelled", why=why):
            fact = Fact("queue.cancelled", "queue_entry", ids.show("que", found), {"why": why})
            ledger.append(tx, principal, [fact], project_id=ref.id)
            tx.after_commit(lambda: notify.wake(f"que:{found}"))
            tx.after_commit(lambda: drains.drain_soon(principal.team_id, ref.id))
    return waiting.state_of(principal, ref, found, taking=False, as_claim=False)


def _parse(entry_id: str) -> UUID:
    found = ids.parse("que", entry_id)
    if found is None:
        raise not_found("queue entry")
    return found


def _is_mine(principal: Principal, ref: ProjectRef, entry_id: UUID) -> bool:
    with transaction(principal.team_id) as tx:
        row = queue.find(tx, ref.id, entry_id)
        if row is None:
            raise not_found("queue entry")
        me = acting.acting_or_none(tx, principal, ref)
        return me is not None and bool(me.holder_id == row["holder_id"])

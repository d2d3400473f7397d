"""Claims, the queue, allocations, verification: the hot routes."""

from typing import Any

from coordination.api.call import Call
from coordination.api.handlers import shown
from coordination.api.schemas.claims import scope_requests
from coordination.selectors import allocations as allocation_selectors
from coordination.selectors import claims as selectors
from coordination.selectors import queue as queue_selectors
from coordination.services import allocations, claims, leases, queue
from coordination.services import verify as verifying
from coordination.services.requests import Change, ClaimRequest
from coordination.services.results import Answer


def claim_create(call: Call) -> Answer:
    """Ask for ground."""
    body = call.body
    return claims.claim(
        call.principal,
        call.project,
        ClaimRequest(
            scopes=body.requests(),
            repository=body.repository,
            mode=body.mode,
            ttl_seconds=body.ttl_seconds,
            reason=body.reason,
            branch=body.branch,
            task=body.task,
            wait_seconds=body.wait_seconds,
            deadline_seconds=body.deadline_seconds,
            urgency=body.urgency,
            takeover_reason=body.takeover_reason,
            dry_run=body.dry_run,
            idempotent=call.idempotency_key is not None,
        ),
    )


def claim_resume(call: Call, stored: dict[str, Any]) -> Answer:
    """The same request once more after a 202: go on waiting behind nobody new."""
    return queue.attach(call.principal, call.project, stored["id"], call.body.wait_seconds, as_claim=True)


def claim_list(call: Call) -> Answer:
    """Claims of the project."""
    query = call.query
    return shown(
        selectors.claim_list(
            call.principal,
            call.project,
            state=query.state,
            path=query.path,
            agent=query.agent,
            instance=query.instance,
            task=query.task,
            repository=query.repository,
            limit=query.limit,
            cursor=query.cursor,
        )
    )


def claim_check(call: Call) -> Answer:
    """Would this ground be free?"""
    body = call.body
    return claims.check(
        call.principal, call.project, scopes=body.requests(), repository=body.repository, mode=body.mode
    )


def claim_release_many(call: Call) -> Answer:
    """Release in bulk."""
    body = call.body
    claim_ids = None if body.claim_ids is None else tuple(body.claim_ids)
    return leases.release_many(
        call.principal, call.project, claim_ids=claim_ids, instance=body.instance, task=body.task
    )


def claim_get(call: Call) -> Answer:
    """One claim."""
    return shown(selectors.claim_get(call.principal, call.project, call.id))


def claim_change(call: Call) -> Answer:
    """Narrow a claim or change its mode."""
    scopes = None if call.body.scopes is None else scope_requests(call.body.scopes)
    return leases.change(call.principal, call.project, call.id, scopes=scopes, mode=call.body.mode)


def claim_release(call: Call) -> Answer:
    """Release a claim."""
    return leases.release(call.principal, call.project, call.id, fence=call.query.fence)


def claim_renew(call: Call) -> Answer:
    """Go on holding a claim."""
    return leases.renew(call.principal, call.project, call.id, ttl_seconds=call.body.ttl_seconds, fence=call.body.fence)


def queue_list(call: Call) -> Answer:
    """Who waits, in order."""
    query = call.query
    return shown(
        queue_selectors.queue_list(
            call.principal, call.project, state=query.state, limit=query.limit, cursor=query.cursor
        )
    )


def queue_get(call: Call) -> Answer:
    """What has become of a wait; taking part in it again with ``wait_seconds``."""
    return queue.attach(call.principal, call.project, call.id, call.query.wait_seconds)


def queue_cancel(call: Call) -> Answer:
    """Give up waiting."""
    return queue.cancel(call.principal, call.project, call.id)


def allocation_create(call: Call) -> Answer:
    """A number nobody else gets."""
    body = call.body
    return allocations.allocate(
        call.principal,
        call.project,
        pool=body.pool,
        first=body.range.first if body.range else None,
        last=body.range.last if body.range else None,
        repository=body.repository,
        host=body.host,
        reason=body.reason,
    )


def allocation_list(call: Call) -> Answer:
    """Numbers that are taken."""
    query = call.query
    return shown(
        allocation_selectors.allocation_list(
            call.principal, call.project, pool=query.pool, limit=query.limit, cursor=query.cursor
        )
    )


def allocation_release(call: Call) -> Answer:
    """Give a number back."""
    return allocations.release(call.principal, call.project, call.id)


def verify(call: Call) -> Answer:
    """Are these changes covered?"""
    body = call.body
    return verifying.verify(
        call.principal,
        call.project,
        repository=body.repository,
        changes=tuple(Change(c.path, c.blob, c.patch, tuple(c.patches)) for c in body.changes),
        instance=body.instance,
        attest=body.attest,
        against_attestations=body.against == "attestations",
        branch=body.branch,
        task=body.task,
    )

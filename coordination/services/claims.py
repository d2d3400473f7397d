"""Claiming ground: decide, then grant, refuse, or wait in line (claims.md, "Decision"; concurrency.md)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from coordination.engine.decide import Decision, Wanted, decide
from coordination.engine.modes import Mode, Urgency
from coordination.services import acting, deciding, drains, granting, lining_up, placing, refusals
from coordination.services.acting import Acting
from coordination.services.granting import Terms
from coordination.services.placing import Placed, Whereabouts
from coordination.services.requests import ClaimRequest, ScopeRequest
from coordination.services.results import Answer
from coordination.store import grounds, scenes
from coordination.store.scenes import Scene
from tenants import ids, ledger
from tenants.db import Row, Transaction, busy, in_transaction, transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import invalid
from tenants.selectors.projects import ProjectRef, project_resolve, repositories_of

_TRIES = 4
Shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """A claim request whose words have been checked and whose ground has been placed."""

    request: ClaimRequest
    mode: Mode
    urgency: Urgency
    placed: Placed


def claim(principal: Principal, project: str, request: ClaimRequest) -> Answer:
    """Ask for ground, all or nothing.

    Answers ``granted`` with the Claim, ``dry_run``, ``queued`` with the Queue entry (and a hold where the caller
    waits), ``refused`` or ``deadlock`` with a problem document. Raises problems for mistakes; nothing is stored then.
    """
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    mode, urgency = mode_of(request.mode), _urgency(request.urgency)
    for _ in range(_TRIES):
        placed = place(principal, ref, request.scopes, repository=request.repository)
        try:
            return _claim_once(principal, ref, Order(request, mode, urgency, placed))
        except granting.TryAgain:
            if in_transaction():
                break  # an outer transaction (an idempotency key's) has to be rolled back as a whole
    raise busy()


def _claim_once(principal: Principal, ref: ProjectRef, order: Order) -> Answer:
    request = order.request
    with transaction(principal.team_id, lean=True) as tx:
        if not request.dry_run:
            grounds.lock_ground(tx, ref.id, order.placed.plan)
        me, scene = look(tx, principal, ref, order.placed, order.mode)
        acting.refuse_frozen(me.policy)
        terms = Terms(
            order.mode,
            granting.ttl_for(order.mode, request.ttl_seconds, me.policy),
            request.reason,
            request.branch,
            request.task,
            request.takeover_reason,
        )
        wanted = Wanted(str(me.holder_id), order.mode, order.placed.grounds)
        decision = deciding.judge(tx, ref.id, wanted, scene, urgency=order.urgency)
        if request.dry_run:
            return Answer("dry_run", verdict(tx, ref, decision, wanted, order.placed, scene))
        if decision.granted:
            waited_for = bool(scene.entries) and deciding.keeps_waiting(wanted, scene)
            if waited_for:
                grounds.lock_wait_graph(tx, ref.id)
            shown = granting.grant(tx, principal, ref.id, me, order.placed, terms, scene, decision)
            if waited_for:
                drains.break_circles(tx, ref.id, me.holder_id)
            return Answer("granted", shown)
        if request.wait_seconds is not None:
            return lining_up.enqueue(
                tx, principal, ref, me, order.placed, terms, scene, decision, request, order.urgency
            )
        return _refuse(tx, principal, ref, me, order, scene, decision)


def look(tx: Transaction, principal: Principal, ref: ProjectRef, placed: Placed, mode: Mode) -> tuple[Acting, Scene]:
    """Who acts and what stands around the wanted ground, in one statement."""
    named = acting.handle(principal)
    rows = _rows(tx, principal, ref, placed, mode)
    return acting.acting(principal, named, rows), scenes.read_scene(rows[0]["near"] or ())


def _rows(tx: Transaction, principal: Principal, ref: ProjectRef, placed: Placed, mode: Mode) -> list[Row]:
    named = acting.handle(principal)
    return grounds.look(
        tx,
        ref.id,
        placed.places(),
        instance_id=acting.instance_of(named),
        credential=acting.credential(principal),
        holder_id=acting.known_root(named),
        hostile=scenes.hostile_modes(mode),
    )


def place(principal: Principal, ref: ProjectRef, scopes: tuple[ScopeRequest, ...], *, repository: str | None) -> Placed:
    """Place wanted scopes; reads the acting instance first where ground reaches only its host or worktree."""
    where = Whereabouts(ref, repositories_of(principal, ref.id))
    if placing.needs_whereabouts(scopes):
        with transaction(principal.team_id, lean=True) as tx:
            me = acting.acting_in(tx, principal, ref)
        where = Whereabouts(ref, where.repositories, me.policy["host"], me.policy["worktree"])
    return placing.place(where, scopes, repository=repository)


def mode_of(text: str) -> Mode:
    """The mode of a name; 422 naming the four."""
    try:
        return Mode(text)
    except ValueError:
        raise invalid("mode", "unknown", f"{text!r} is none of {', '.join(Mode)}") from None


def _urgency(text: str) -> Urgency:
    try:
        return Urgency.from_label(text)
    except ValueError as error:
        raise invalid("urgency", "unknown", str(error)) from None


def verdict(
    tx: Transaction, ref: ProjectRef, decision: Decision, wanted: Wanted, placed: Placed, scene: Scene
) -> Shape:
    """What a dry run or a check answers: free or not, the conflicts, and the part that is free."""
    lapsed = {conflict.standing.id for conflict in decide(wanted, scene.lapsed).conflicts}
    conflicts = [] if decision.granted else refusals.conflicts_shown(tx, ref.id, decision, placed.shown, scene)
    return {
        "free": decision.granted,
        "conflicts": conflicts,
        "total": decision.total,
        "narrow_to": refusals.free_scopes(decision.free, placed.shown),
        "coexists_with": [ids.show("clm", UUID(other)) for other in decision.coexists],
        "would_take_over": [ids.show("clm", UUID(standing.id)) for standing in scene.lapsed if standing.id in lapsed],
    }


def _refuse(
    tx: Transaction,
    principal: Principal,
    ref: ProjectRef,
    me: Acting,
    order: Order,
    scene: Scene,
    decision: Decision,
) -> Answer:
    conflicts = refusals.conflicts_shown(tx, ref.id, decision, order.placed.shown, scene)
    document = refusals.claim_conflict(
        conflicts, decision, refusals.free_scopes(decision.free, order.placed.shown), me.now
    )
    said = {
        "agent": me.agent,
        "wanted": sorted({c["wanted"] for c in conflicts})[:20],
        "blocked_by": [c["claim"] for c in conflicts[:20]],
        "total": decision.total,
    }
    instance = ids.show("ins", me.instance_id)
    fact = Fact("claim.denied", "instance", instance, said)
    ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=me.instance_id)
    return Answer("refused", document)


def check(
    principal: Principal,
    project: str,
    *,
    scopes: tuple[ScopeRequest, ...],
    repository: str | None = None,
    mode: str = "exclusive",
) -> Answer:
    """Would this be free for me? The same decision as a claim, without locks, and nothing changes.

    Needs no instance: without one, everything held counts as foreign.
    """
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    placed = place(principal, ref, scopes, repository=repository)
    wanted_mode = mode_of(mode)
    named = acting.handle(principal)
    with transaction(principal.team_id, lean=True) as tx:
        rows = _rows(tx, principal, ref, placed, wanted_mode)
        anonymous = named is None and (len(rows) > 1 or (bool(rows) and rows[0]["id"] is None))
        policy = rows[0] if anonymous else acting.acting(principal, named, rows).policy
        scene = scenes.read_scene(rows[0]["near"] or ())
        wanted = Wanted("" if anonymous else str(policy["root_id"]), wanted_mode, placed.grounds)
        decision = deciding.judge(tx, ref.id, wanted, scene)
        return Answer("ok", verdict(tx, ref, decision, wanted, placed, scene))

"""The life of a claim after its grant: renew, release, narrow, change of mode (claims.md, "Life of a claim").

Compare-and-swap on ``held`` throughout: of a late renewal and a take-over one wins, never both.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from coordination.engine.decide import Wanted, decide
from coordination.engine.ground import Ground, written
from coordination.engine.modes import Mode
from coordination.engine.overlap import contains
from coordination.selectors import shapes
from coordination.services import acting, deciding, drains, refusals
from coordination.services.acting import Acting
from coordination.services.claims import mode_of, place, verdict
from coordination.services.granting import Terms, TryAgain, take_over, ttl_for
from coordination.services.placing import Placed, except_rows, ground_rows
from coordination.services.requests import ScopeRequest
from coordination.services.results import Answer
from coordination.store import claims, grounds, instances, scenes
from coordination.store.scenes import ground_of
from tenants import ids, ledger
from tenants.db import Row, Transaction, busy, in_transaction, transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, FieldError, Problem, invalid, not_found
from tenants.selectors.projects import ProjectRef, project_resolve

_TRIES = 4
Shape = dict[str, Any]


def parse_claim_id(text: str) -> UUID:
    """The UUID behind ``clm_…``; 404 for anything else."""
    found = ids.parse("clm", text)
    if found is None:
        raise not_found("claim")
    return found


def renew(
    principal: Principal, project: str, claim_id: str, ttl_seconds: int | None = None, fence: int | None = None
) -> Answer:
    """Extend a claim; never shortens it, and takes up an offer. ``lost`` when it is no longer held.

    A lapsed claim that nobody took over comes back to life: its row still says held.
    """
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    claim = parse_claim_id(claim_id)
    with transaction(principal.team_id, lean=True) as tx:
        me = acting.acting_in(tx, principal, ref)
        ttl = None if ttl_seconds is None else ttl_for(Mode.EXCLUSIVE, ttl_seconds, me.policy)
        instances.touch(tx, [me.instance_id, me.holder_id])
        renewed = claims.renew(tx, ref.id, [claim], holder_id=me.holder_id, ttl_s=ttl, fence=fence)
        if not renewed:
            return _lost_or_foreign(tx, principal, ref, me, claim)
        row = claims.by_ids(tx, ref.id, renewed)[0]
        said = {"agent": me.agent, "fence": row["fence"], "expires_at": row["expires_at"].isoformat()}
        fact = Fact("claim.renewed", "claim", claim_id, said)
        ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=me.instance_id)
        return Answer("ok", shapes.claim(row))


def _lost_or_foreign(tx: Transaction, principal: Principal, ref: ProjectRef, me: Acting, claim: UUID) -> Answer:
    rows = claims.by_ids(tx, ref.id, [claim])
    if not rows:
        raise not_found("claim")
    row = rows[0]
    if row["holder_id"] != me.holder_id:
        raise Problem(
            Code.FORBIDDEN,
            f"{ids.show('clm', claim)} is {row['agent_name']}'s, not yours.",
            needs=[str(Permission.CLAIMS_RELEASE_ANY)],
            holder=shapes.holder(row),
        )
    fact = Fact("claim.lost", "claim", ids.show("clm", claim), {"agent": me.agent, "state": row["state"]})
    ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=me.instance_id)
    return Answer("lost", refusals.lost(tx, ref.id, claim, row))


def release(principal: Principal, project: str, claim_id: str, fence: int | None = None) -> Answer:
    """Give a claim back. Again is harmless; ``lost`` where it had expired or was taken, or the fence does not fit.

    Somebody else's claim needs ``claims.release_any`` and is then revoked: its holder is told.
    """
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    claim = parse_claim_id(claim_id)
    named = acting.handle(principal)
    with transaction(principal.team_id, lean=True) as tx:
        rows = grounds.lock_claims_asked(
            tx,
            ref.id,
            [claim],
            instance_id=acting.instance_of(named),
            credential=acting.credential(principal),
        )
        me = _acting_or_manager(principal, rows)
        ended = end_claims(tx, principal, ref, [claim], me)
        if not ended and me is not None and principal.allows(Permission.CLAIMS_RELEASE_ANY):
            ended = end_claims(tx, principal, ref, [claim], None)
        if not ended:
            return _already_over(tx, principal, ref, me, claim)
        if fence is not None and ended[0]["fence"] != fence:
            raise _wrong_fence(claim, ended[0]["fence"])
        return Answer("ok", {"released": [claim_id], "lost": []})


def _wrong_fence(claim: UUID, fence: int) -> Problem:
    return Problem(
        Code.LOST,
        f"Your fence is not that of {ids.show('clm', claim)}: {fence}.",
        claim=ids.show("clm", claim),
        fence_now=fence,
        held_by=None,
    )


def _acting_or_manager(principal: Principal, rows: list[Row]) -> Acting | None:
    """Who acts; None for somebody without an instance who may release anybody's claims."""
    try:
        return acting.acting(principal, acting.handle(principal), rows)
    except Problem as problem:
        if (
            problem.code is Code.INSTANCE_REQUIRED
            and not principal.instance
            and principal.allows(Permission.CLAIMS_RELEASE_ANY)
        ):
            return None
        raise


def _already_over(tx: Transaction, principal: Principal, ref: ProjectRef, me: Acting | None, claim: UUID) -> Answer:
    rows = claims.by_ids(tx, ref.id, [claim])
    if not rows:
        raise not_found("claim")
    row = rows[0]
    ours = me is None or row["holder_id"] == me.holder_id
    if ours and row["state"] == "released":
        return Answer("ok", {"released": [ids.show("clm", claim)], "lost": []})
    if me is None:
        return Answer("lost", refusals.lost(tx, ref.id, claim, row))
    return _lost_or_foreign(tx, principal, ref, me, claim)


def end_claims(
    tx: Transaction,
    principal: Principal,
    ref: ProjectRef,
    wanted: Sequence[UUID],
    me: Acting | None,
    *,
    by: str = "",
    state: str | None = None,
) -> list[Row]:
    """End claims in the caller's transaction, under their locks; the rows that were still held.

    Without ``me`` they are anybody's, and revoked (their holders are told) unless ``state`` says otherwise. Whoever
    waits near is served after the commit.
    """
    becomes = state or ("released" if me else "revoked")
    ended = claims.release(
        tx,
        ref.id,
        {claim: ids.show("clm", claim) for claim in wanted},
        holder_id=me.holder_id if me else None,
        state=becomes,
        by=by or principal.actor.name,
        said=ledger.prepare(tx, principal, [], project_id=ref.id, instance_id=me.instance_id if me else None),
    )
    if becomes == "revoked":
        ledger.tell_later(tx, ref.id, [f"ins:{row['holder_id']}" for row in ended])
    if any(row["near"] for row in ended):
        tx.after_commit(lambda: drains.drain_soon(principal.team_id, ref.id))
    return ended


def release_many(
    principal: Principal,
    project: str,
    *,
    claim_ids: tuple[str, ...] | None = None,
    instance: str | None = None,
    task: str | None = None,
) -> Answer:
    """Release some of one's claims, all of an instance's, or a task's; idempotent. ``lost`` lists what was not held."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    with transaction(principal.team_id) as tx:
        named = acting.handle(principal)
        rows = instances.header(tx, ref.id, acting.instance_of(named), acting.credential(principal)).fetchall()
        me = _acting_or_manager(principal, rows)
        mine = me.holder_id if me else None
        if claim_ids is not None:
            wanted = [parse_claim_id(claim) for claim in claim_ids]
        elif task is not None:
            wanted = claims.held_ids(tx, ref.id, holder_id=mine, task=task)
        else:
            holder = _named_holder(tx, ref, instance) if instance else mine
            if holder is None:
                raise invalid("instance", "required", "name claim_ids, an instance, or a task")
            wanted = claims.held_ids(tx, ref.id, holder_id=holder)
        return Answer("ok", release_all(tx, principal, ref, wanted, me))


def _named_holder(tx: Transaction, ref: ProjectRef, text: str) -> UUID:
    found = ids.parse("ins", text.partition(".")[0])
    row = instances.find(tx, ref.id, found) if found else None
    if row is None:
        raise not_found("instance")
    root: UUID = row["root_id"]
    return root


def release_all(
    tx: Transaction,
    principal: Principal,
    ref: ProjectRef,
    wanted: list[UUID],
    me: Acting | None,
    *,
    by: str = "",
    state: str | None = None,
) -> Shape:
    """Lock and end claims in the caller's transaction; what is not held (or not one's own) comes back as ``lost``."""
    if not wanted:
        return {"released": [], "lost": []}
    grounds.lock_claims(tx, ref.id, wanted)
    ended = end_claims(tx, principal, ref, wanted, me, by=by, state=state)
    released = {row["id"] for row in ended}
    return {
        "released": [ids.show("clm", claim) for claim in wanted if claim in released],
        "lost": [ids.show("clm", claim) for claim in wanted if claim not in released],
    }


def change(
    principal: Principal,
    project: str,
    claim_id: str,
    *,
    scopes: tuple[ScopeRequest, ...] | None = None,
    mode: str | None = None,
) -> Answer:
    """Narrow a claim, or change its mode; the fence stays. A stronger mode is decided like a new claim.

    New scopes must lie within what is held; ground that is given up goes to whoever waits for it.
    """
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    claim = parse_claim_id(claim_id)
    placed = place(principal, ref, scopes, repository=None) if scopes else None
    wanted_mode = mode_of(mode) if mode else None
    for _ in range(_TRIES):
        try:
            return _change_once(principal, ref, claim, wanted_mode, placed)
        except TryAgain:
            if in_transaction():
                break
    raise busy()


def _change_once(
    principal: Principal, ref: ProjectRef, claim: UUID, mode: Mode | None, placed: Placed | None
) -> Answer:
    with transaction(principal.team_id) as tx:
        grounds.lock_claims(tx, ref.id, [claim])
        claims.lock(tx, claim)
        me = acting.acting_in(tx, principal, ref)
        rows = claims.by_ids(tx, ref.id, [claim])
        if not rows or rows[0]["holder_id"] != me.holder_id or not rows[0]["live"]:
            return _lost_or_foreign(tx, principal, ref, me, claim)
        held = tuple(ground_of(row) for row in grounds.of_claims(tx, [claim]))
        if mode is not None:
            refused = _change_mode(tx, principal, ref, me, rows[0], held, mode)
            if refused is not None:
                return refused
        if placed is not None:
            _narrow(tx, ref, me, claim, rows[0]["mode"] if mode is None else mode.value, held, placed)
        _tell_changed(tx, principal, ref, me, ids.show("clm", claim), mode, placed)
        return Answer("ok", shapes.claim(claims.by_ids(tx, ref.id, [claim])[0]))


def _change_mode(
    tx: Transaction,
    principal: Principal,
    ref: ProjectRef,
    me: Acting,
    row: Row,
    held: tuple[Ground, ...],
    mode: Mode,
) -> Answer | None:
    """Decide and write another mode. A stronger one takes over lapsed claims and adds edges as a new claim does."""
    places = [grounds.Place(ground.root, ground.pattern.prefix) for ground in held]
    near = grounds.candidates(tx, places, holder_id=me.holder_id, hostile=scenes.hostile_modes(mode)).fetchall()
    scene = scenes.read_scene(near)
    wanted = Wanted(str(me.holder_id), mode, held)
    decision = decide(wanted, scene.live)  # what one holds already, one does not queue for
    if decision.granted:
        waited_for = deciding.keeps_waiting(wanted, scene)
        if waited_for:
            grounds.lock_wait_graph(tx, ref.id)
        terms = Terms(mode, 0, takeover_reason=f"held as {row['mode']} meanwhile, now as {mode}")
        _, facts = take_over(tx, ref.id, me, terms, wanted, scene)
        if facts:
            ledger.append(tx, principal, facts, project_id=ref.id, instance_id=me.instance_id)
        claims.change(tx, row["id"], mode=mode.value, scopes=None)
        if waited_for:
            drains.break_circles(tx, ref.id, me.holder_id)
        return None
    shown = {scope["n"]: scope for scope in row["scopes"]}
    listed = [shown.get(n, {}) for n in range(max(shown) + 1)]
    body = verdict(tx, ref, decision, wanted, Placed(held, listed, ()), scene)
    return Answer("refused", refusals.claim_conflict(body["conflicts"], decision, [], me.now))


def _narrow(
    tx: Transaction, ref: ProjectRef, me: Acting, claim: UUID, mode: str, held: tuple[Ground, ...], placed: Placed
) -> None:
    kept = []
    for ground in placed.grounds:
        outer = next((h for h in held if h.root == ground.root and contains(h.pattern, ground.pattern)), None)
        if outer is None:
            field = f"scopes.{ground.scope}.pattern"
            raise Problem(
                Code.INVALID,
                f"{written(ground.pattern)} is not within what this claim holds; claim it instead.",
                errors=[FieldError(field, "not_held", "narrowing only takes ground away")],
            )
        # What was taken out before does not grow back by being asked for in other words.
        kept.append(replace(ground, excepts=tuple(dict.fromkeys(ground.excepts + outer.excepts))))
    offset = 1 + max(h.scope for h in held)
    moved = [replace(ground, scope=ground.scope + offset) for ground in kept]
    claims.drop_ground(tx, claim, [])
    grounds.insert(
        tx,
        {
            "project": ref.id,
            "claim": claim,
            "entry": None,
            "holder": me.holder_id,
            "mode": mode,
            "ground": grounds.dumps(ground_rows(moved)),
        },
    )
    grounds.insert_excepts(tx, claim=claim, entry=None, excepts=except_rows(moved))
    shown = [scope | {"n": scope["n"] + offset} for scope in placed.shown]
    claims.change(tx, claim, mode=None, scopes=Jsonb(shown))


def _tell_changed(
    tx: Transaction,
    principal: Principal,
    ref: ProjectRef,
    me: Acting,
    claim_id: str,
    mode: Mode | None,
    placed: Placed | None,
) -> None:
    said: Shape = {"agent": me.agent}
    if mode:
        said["mode"] = mode.value
    if placed is not None:
        said["scopes"] = [{"repository": s["repository"], "pattern": s["pattern"]} for s in placed.shown[:20]]
    fact = Fact("claim.narrowed" if placed else "claim.mode_changed", "claim", claim_id, said)
    ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=me.instance_id)
    tx.after_commit(lambda: drains.drain_soon(principal.team_id, ref.id))

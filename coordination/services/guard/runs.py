"""Whose call it is: finding the run behind a hook, registering one on the spot, sessions that begin and end.

Calls of one run are one instance whatever door they use, and calls of two runs never are (agent.md, "One holder per
run"). Only the beginning of a session raises the epoch.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from coordination.engine.guard.paths import PROBE
from coordination.engine.modes import Mode
from coordination.services import acting, instances
from coordination.services.guard.calls import HookCall, Seen
from coordination.store import guards, scenes
from coordination.store import instances as instance_rows
from coordination.store.grounds import Place
from tenants import ids, ledger
from tenants.db import Row, Transaction, busy, transaction
from tenants.ledger import Fact
from tenants.principal import Principal
from tenants.problems import Code, Problem, invalid
from tenants.selectors.projects import ProjectRef

T = TypeVar("T")
# The words by which clients say that the process goes on under another session.
KEPT = ("clear", "resume")
# How soon the session after a clear follows it, in seconds: the two hook calls come one after the other.
_CLEAR_S = 60
NOTHING = scenes.Scene()
_MODES = [str(mode) for mode in Mode]
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def agent_of(principal: Principal, call: HookCall) -> str:
    """The agent's name: as given, else the one the token is bound to, else the tool's."""
    tool = _NO_NAME.sub("-", call.tool).strip("-._")[:80]
    return call.agent or principal.agent or tool or "agent"


def _run(principal: Principal, call: HookCall) -> Row:
    return {
        "credential": acting.credential(principal),
        "agent": agent_of(principal, call),
        "worktree": call.worktree,
        "thread": call.session or None,
    }


def see(
    tx: Transaction, principal: Principal, ref: ProjectRef, call: HookCall, places: Iterable[Place] = ()
) -> Seen | None:
    """Who calls, and what stands near these places, in one statement; None where nobody is known by that session.

    Raises as ``acting.acting`` does: 403 for another credential's run, 409 when it ended or was superseded.
    """
    named = acting.handle(principal)
    rows = guards.look(
        tx,
        ref.id,
        places,
        instance_id=acting.instance_of(named),
        run=_run(principal, call),
        modes=_MODES,
    )
    if rows and rows[0]["id"] is None and named is None:
        return None
    me = acting.acting(principal, named, rows)
    return Seen(me, guards.own(rows[0]), scenes.read_scene(rows[0]["near"] or ()))


def within(
    principal: Principal,
    ref: ProjectRef,
    call: HookCall,
    work: Callable[[Transaction, Seen], T],
    places: Iterable[Place] = (),
) -> tuple[Seen, T]:
    """``work`` in a transaction with the run that calls, which is registered on the spot where it is unknown."""
    looked = list(places)
    for _ in range(2):
        with transaction(principal.team_id, lean=True) as tx:
            seen = see(tx, principal, ref, call, looked)
            if seen is not None:
                if not seen.row["guard_door"]:
                    seen = _call_in(tx, principal, ref, call, seen)
                return seen, work(tx, seen)
        _join(principal, ref, call)
    raise busy()


def _call_in(tx: Transaction, principal: Principal, ref: ProjectRef, call: HookCall, seen: Seen) -> Seen:
    """The first hook call of a run: from here on its guard counts. Some clients never say that a session began."""
    probe = _probe()
    if not guards.call_in(tx, seen.me.instance_id, door=call.door, probe=probe):
        return seen
    _started(tx, principal, ref, seen.me.instance_id, seen.me.agent, call, seen.policy)
    return replace(seen, row=seen.row | {"guard_door": call.door, "guard_probe": probe}, first=True)


def _started(
    tx: Transaction,
    principal: Principal,
    ref: ProjectRef,
    instance_id: UUID,
    agent: str,
    call: HookCall,
    policy: str,
) -> None:
    said = {"agent": agent, "door": call.door, "source": call.source, "policy": policy}
    fact = Fact("guard.started", "instance", ids.show("ins", instance_id), said)
    ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=instance_id)


def _probe() -> str:
    return PROBE + secrets.token_hex(8)


def _join(principal: Principal, ref: ProjectRef, call: HookCall) -> None:
    """Register an unknown run; of two first calls at once one does, and no epoch rises."""
    if not call.session:
        raise Problem(Code.INSTANCE_REQUIRED, "Which run is this? Send its session, or its handle.")
    agent = agent_of(principal, call)
    worktree = call.worktree or ""
    with transaction(principal.team_id) as tx:
        instances.lock_run(tx, ref, acting.credential(principal), agent, worktree, call.session)
        if see(tx, principal, ref, call) is None:
            _register(principal, ref, call, agent, parent=None)


def _register(principal: Principal, ref: ProjectRef, call: HookCall, agent: str, *, parent: str | None) -> Row:
    answer = instances.register(
        principal,
        ref.slug,
        agent=agent,
        tool=call.tool,
        model=call.model,
        thread_id=call.session or None,
        host=call.host,
        worktree=call.worktree or "",
        branch=call.branch,
        repository=call.repository,
        parent=parent,
    )
    return answer.body


def worktree_of(principal: Principal, ref: ProjectRef, call: HookCall) -> str | None:
    """The checkout that the session of this call was registered with; None for one that is not known."""
    with transaction(principal.team_id, lean=True) as tx:
        return guards.worktree_of(tx, ref.id, _run(principal, call))


def begin(principal: Principal, ref: ProjectRef, call: HookCall) -> Principal:
    """A session begins: its run is registered or resumed, a probe is planted. The principal that acts for it.

    After a clear the new session is a child of the one before, so both are one holder.
    """
    asking = principal.acting(instance=None)
    agent = agent_of(principal, call)
    with transaction(principal.team_id) as tx:
        parent = _parent(tx, asking, ref, call)
        shown = _register(asking, ref, call, agent, parent=parent)
        instance_id = ids.parse("ins", shown["id"])
        assert instance_id is not None
        before = ids.parse("ins", parent) if parent else None
        if before is not None and before != instance_id and call.source in KEPT:
            guards.retire(tx, before)
        guards.start(tx, instance_id, door=call.door, probe=_probe())
        _started(tx, principal, ref, instance_id, agent, call, _policy(tx, ref))
    return principal.acting(instance=shown["handle"])


def _policy(tx: Transaction, ref: ProjectRef) -> str:
    rows = instance_rows.header(tx, ref.id, None, "").fetchall()
    return str(rows[0]["guard_policy"])


def _parent(tx: Transaction, principal: Principal, ref: ProjectRef, call: HookCall) -> str | None:
    """The run whose process goes on as this session: as given, or over HTTP the one that has just been cleared.

    One that has ended since, or is unknown, is passed over: the session begins on its own.
    """
    if call.parent is not None:
        found = ids.parse("ins", call.parent.partition(".")[0])
        row = instance_rows.find(tx, ref.id, found) if found else None
        if row is not None and row["credential"] != acting.credential(principal):
            raise invalid("parent", "another_credential", "a parent shares the credential of its children")
        return ids.show("ins", row["id"]) if row is not None and row["ended_at"] is None else None
    if call.door == "http" and call.source == "clear":
        before = guards.cleared(tx, ref.id, _run(principal, call), within_s=_CLEAR_S)
        # Of two that were cleared at once it cannot be told which goes on here: then neither does.
        return ids.show("ins", before[0]) if len(before) == 1 else None
    return None


def finish(principal: Principal, ref: ProjectRef, call: HookCall) -> Seen | None:
    """A session ends, and its run with it, unless the process goes on as another session. None for an unknown run."""
    with transaction(principal.team_id, lean=True) as tx:
        seen = see(tx, principal, ref, call)
        if seen is None:
            return None
        if call.source in KEPT and _goes_on(call, seen):
            guards.pause(tx, seen.me.instance_id)
            return seen
        over = _over(tx, ref, seen)
    instances.end(principal.acting(instance=None), ref.slug, over)
    return seen


def _goes_on(call: HookCall, seen: Seen) -> bool:
    """Whether the session that follows can be told to be of this process: over HTTP only where it says it begins."""
    return call.door != "http" or seen.row["guard_started_at"] is not None


def _over(tx: Transaction, ref: ProjectRef, seen: Seen) -> str:
    """What ends: the run, or the whole family where the run went on for a root whose own session was over."""
    if seen.me.holder_id != seen.me.instance_id:
        root = instance_rows.find(tx, ref.id, seen.me.holder_id)
        if root is not None and root["guard_door"] and root["guard_started_at"] is None and root["thread_id"] is None:
            return ids.show("ins", root["id"])
    return ids.show("ins", seen.me.instance_id)

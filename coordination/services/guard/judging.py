"""The guard: one hook call in, one decision out, whatever door it came by (agent.md, "Enforcement at the moment of the
edit").

A denial is a result, not a mistake. Policies: ``observe`` refuses nothing but the probe and, while the project is
frozen, new ground; ``auto-claim`` claims free ground at the first touch and refuses others'; ``strict`` refuses
whatever was not claimed before. What the run's own claims cover is let through under each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from coordination.engine.decide import Standing
from coordination.engine.guard.paths import is_exempt, is_probe
from coordination.engine.guard.types import Event
from coordination.selectors import shapes
from coordination.services import acting, presence
from coordination.services.guard import after, dangers, news, runs, touches, words
from coordination.services.guard.calls import OBSERVE, STRICT, HookCall, Refusal, Seen, Shape
from coordination.services.guard.touches import Judgement, Target
from coordination.services.results import Answer
from coordination.store import guards, instances
from tenants import ids, ledger
from tenants.db import Transaction, transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem
from tenants.selectors.projects import ProjectRef, project_resolve

_STALE = (Code.INSTANCE_SUPERSEDED, Code.INSTANCE_ENDED)


def judge(principal: Principal, project: str, call: HookCall) -> Answer:
    """Decide one hook call: ``allow`` or ``deny``, with the reason and what the model should know.

    The run is the one of the handle, else of (credential, agent, worktree, session), registered where it is unknown.
    Raises problems for mistakes only: a path that is none, a run that cannot be told, a credential of another run.
    """
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    try:
        return _EVENTS[call.event](principal, ref, call)
    except Problem as problem:
        if problem.code not in _STALE:
            raise
        return _stale(principal, ref, call, problem)


def whereabouts(principal: Principal, project: str, call: HookCall) -> str | None:
    """The checkout that this session was registered with, for doors that are told absolute paths; None if unknown."""
    principal.require(Permission.COORDINATE)
    return runs.worktree_of(principal, project_resolve(principal, project), call)


# --- before a tool ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one look said of the paths of a call."""

    covered: Sequence[tuple[Target, Standing]]
    left: Sequence[Target]
    findings: list[Shape]
    danger: Refusal | None


def _pre_tool(principal: Principal, ref: ProjectRef, call: HookCall) -> Answer:
    touched, everything = touches.targets(call.touches), dangers.targets(call.dangers)
    placed, places = touches.place(principal, ref, call, [*touched, *everything])

    def look(tx: Transaction, seen: Seen) -> _Looked:
        covered, left = touches.split(seen, placed[: len(touched)])
        findings = touches.findings(tx, ref, covered, call.touches)
        danger = dangers.judge(tx, ref, call, seen, placed) if call.dangers else None
        return _Looked(covered, left, findings, danger)

    seen, looked = runs.within(principal, ref, call, look, places)
    if call.touches or call.dangers:
        presence.judged(principal.team_id, seen.me.instance_id)
        seen = _proved(seen)
    if probes := [path for touch in call.touches if is_probe(path := touches.normal(touch.path))]:
        return _probe(principal, ref, seen, probes[0], looked.findings)
    me = principal.acting(instance=_handle(seen))
    if looked.danger is not None and seen.policy != OBSERVE:
        found = looked.findings + [touches.finding(t.path, "unclaimed") for t in looked.left]
        return _refused(me, ref, seen, looked.danger, found)
    judged = touches.judge(me, ref, call, seen, looked.left)
    return _decided(me, ref, call, seen, looked, judged)


def _decided(me: Principal, ref: ProjectRef, call: HookCall, seen: Seen, looked: _Looked, judged: Judgement) -> Answer:
    findings = looked.findings + judged.findings
    noted = [refusal for refusal in (looked.danger, judged.refusal) if refusal is not None]
    if noted and (seen.policy != OBSERVE or noted[-1].why == "frozen"):
        return _refused(me, ref, seen, noted[-1], findings)
    for refusal in noted:
        _write_refused(me, ref, seen, refusal)
    context = [words.observed(refusal.reason) for refusal in noted] + [judged.context]
    if call.opaque and seen.policy == STRICT:
        context.append(words.opaque())
    return _answer(seen, "allow", context="\n".join(c for c in context if c), findings=findings)


def _proved(seen: Seen) -> Seen:
    """An edit of this run is judged right now; it is written down a little later (presence)."""
    return replace(seen, row=seen.row | {"guard_judged_at": seen.me.now})


def _handle(seen: Seen) -> str:
    return f"{ids.show('ins', seen.me.instance_id)}.{seen.row['epoch']}"


def _probe(principal: Principal, ref: ProjectRef, seen: Seen, path: str, findings: list[Shape]) -> Answer:
    instance = ids.show("ins", seen.me.instance_id)
    with transaction(principal.team_id, lean=True) as tx:
        if guards.probed(tx, seen.me.instance_id, path):
            fact = Fact("guard.probed", "instance", instance, {"agent": seen.me.agent, "door": seen.row["guard_door"]})
            ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=seen.me.instance_id)
            seen = replace(seen, row=seen.row | {"guard_probed_at": seen.me.now})
    return _answer(seen, "deny", reason=words.probe(path), findings=findings)


def _refused(me: Principal, ref: ProjectRef, seen: Seen, refusal: Refusal, findings: list[Shape]) -> Answer:
    _write_refused(me, ref, seen, refusal)
    return _answer(seen, "deny", reason=refusal.reason, findings=findings)


def _write_refused(me: Principal, ref: ProjectRef, seen: Seen, refusal: Refusal) -> None:
    said = {
        "agent": seen.me.agent,
        "paths": list(refusal.paths[:20]),
        "verb": refusal.verb,
        "held_by": list(refusal.held_by[:20]),
        "policy": seen.policy,
        "why": refusal.why,
    }
    fact = Fact("guard.refused", "instance", ids.show("ins", seen.me.instance_id), said)
    with transaction(me.team_id, lean=True) as tx:
        ledger.append(tx, me, [fact], project_id=ref.id, instance_id=seen.me.instance_id)


# --- the other moments -----------------------------------------------------------------------------------------------


def _session_start(principal: Principal, ref: ProjectRef, call: HookCall) -> Answer:
    me = runs.begin(principal, ref, call)
    seen, told = runs.within(me, ref, call, lambda tx, seen: news.start(tx, ref, seen))
    return _answer(seen, "allow", context=told)


def _prompt(principal: Principal, ref: ProjectRef, call: HookCall) -> Answer:
    def told_now(tx: Transaction, seen: Seen) -> str:
        return news.start(tx, ref, seen) if seen.first else news.prompt(tx, ref, seen)

    seen, told = runs.within(principal, ref, call, told_now)
    return _answer(seen, "allow", context=told)


def _post_tool(principal: Principal, ref: ProjectRef, call: HookCall) -> Answer:
    wanted = [
        touches.target(path)
        for path in dict.fromkeys(map(touches.normal, call.dirty))
        if not is_exempt(path) and not is_probe(path)
    ]
    placed, places = touches.place(principal, ref, call, wanted)

    def look(tx: Transaction, seen: Seen) -> tuple[list[str], str]:
        return after.judge(tx, principal, ref, call, seen, placed) if placed else ([], "")

    seen, (missed, told) = runs.within(principal, ref, call, look, places)
    if told:
        seen = replace(seen, row=seen.row | {"guard_missed_at": seen.me.now})
    return _answer(seen, "allow", context=told, findings=[touches.finding(path, "unclaimed") for path in missed])


def _stop(principal: Principal, ref: ProjectRef, call: HookCall) -> Answer:
    def rest(tx: Transaction, seen: Seen) -> None:
        if call.source != "subagent":
            guards.rest(tx, seen.me.instance_id, "idle")

    seen, _ = runs.within(principal, ref, call, rest)
    return _answer(seen, "allow")


def _session_end(principal: Principal, ref: ProjectRef, call: HookCall) -> Answer:
    seen = runs.finish(principal, ref, call)
    if seen is None:
        return _unknown(principal, ref)
    with transaction(principal.team_id, lean=True) as tx:
        row = instances.find(tx, ref.id, seen.me.instance_id)
    return _answer(replace(seen, row=row or seen.row), "allow")


_EVENTS: Mapping[Event, Callable[[Principal, ProjectRef, HookCall], Answer]] = {
    Event.SESSION_START: _session_start,
    Event.PROMPT: _prompt,
    Event.PRE_TOOL: _pre_tool,
    Event.POST_TOOL: _post_tool,
    Event.STOP: _stop,
    Event.SESSION_END: _session_end,
}


# --- answers ---------------------------------------------------------------------------------------------------------


def _stale(principal: Principal, ref: ProjectRef, call: HookCall, problem: Problem) -> Answer:
    """A handle of a run that has ended, or was taken over by a newer copy: its edits are refused."""
    named = acting.handle(principal)
    if named is None:
        raise problem
    with transaction(principal.team_id, lean=True) as tx:
        row = instances.find(tx, ref.id, named.instance_id)
        rows = instances.header(tx, ref.id, named.instance_id, "").fetchall()
    if row is None or not rows:
        raise problem
    me = acting.Acting(row["id"], row["root_id"], row["agent_id"], row["agent_name"], rows[0]["now"], rows[0])
    seen = Seen(me, row, runs.NOTHING)
    over = problem.code is Code.INSTANCE_SUPERSEDED
    reason = words.superseded(row["epoch"]) if over else words.ended()
    edits = call.event is Event.PRE_TOOL and (call.touches or call.dangers or call.opaque)
    if not edits:
        return _answer(seen, "allow", context=reason)
    paths = tuple(touches.normal(touch.path) for touch in call.touches)
    refusal = Refusal("superseded" if over else "ended", reason, paths)
    if seen.policy == OBSERVE:
        _write_refused(principal, ref, seen, refusal)
        return _answer(seen, "allow", context=words.observed(reason))
    return _refused(principal, ref, seen, refusal, [touches.finding(path, "unclaimed") for path in paths])


def _answer(
    seen: Seen, decision: str, *, reason: str = "", context: str = "", findings: Sequence[Shape] = ()
) -> Answer:
    policy = seen.me.policy
    body = {
        "decision": decision,
        "reason": reason,
        "context": context,
        "policy": policy["guard_policy"],
        "offline": policy["guard_offline"],
        "cache_seconds": _cache(seen, decision, findings),
        "instance": shapes.instance(seen.row),
        "findings": list(findings),
        "guard": shapes.guard(seen.row) | {"probe": seen.row["guard_probe"]},
    }
    return Answer("ok", body)


def _cache(seen: Seen, decision: str, findings: Sequence[Shape]) -> int:
    """For how long covered paths may be taken for covered without asking: not beyond the end of a claim."""
    ends = [f["expires_at"] for f in findings if f["status"] in ("covered", "claimed")]
    if decision != "allow" or not ends:
        return 0
    left = int((min(ends) - seen.me.now).total_seconds()) - 1
    return max(0, min(touches.CACHE_S, left))


def _unknown(principal: Principal, ref: ProjectRef) -> Answer:
    """The end of a session that nobody knows: there is nothing to end."""
    with transaction(principal.team_id, lean=True) as tx:
        policy = instances.header(tx, ref.id, None, "").fetchall()[0]
    body = {
        "decision": "allow",
        "reason": "",
        "context": "",
        "policy": policy["guard_policy"],
        "offline": policy["guard_offline"],
        "cache_seconds": 0,
        "instance": None,
        "findings": [],
        "guard": {"state": "blind", "why": "this session is not known", "door": "", "probe": "", "judged_at": None},
    }
    return Answer("ok", body)

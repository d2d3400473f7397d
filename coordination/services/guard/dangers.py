"""Git commands that throw away or move what another run in the same checkout stands on."""

from collections.abc import Sequence

from coordination.engine.decide import Standing, Wanted, decide
from coordination.engine.guard.types import DELETE, Danger
from coordination.engine.modes import Mode
from coordination.services import refusals
from coordination.services.guard import words
from coordination.services.guard.calls import HookCall, Refusal, Seen
from coordination.services.guard.touches import Target, normal, split, target
from coordination.store import guards
from coordination.store.scenes import Scene
from tenants import ids
from tenants.db import Row, Transaction
from tenants.selectors.projects import ProjectRef


def targets(dangers: Sequence[Danger]) -> list[Target]:
    """The paths that dangerous commands are limited to."""
    paths = dict.fromkeys(normal(path) for danger in dangers for path in danger.paths)
    return [target(path, DELETE) for path in paths]


def judge(tx: Transaction, ref: ProjectRef, call: HookCall, seen: Seen, placed: Sequence[Target]) -> Refusal | None:
    """Why these commands are not let through: somebody else works in this checkout, or holds what they name.

    ``placed`` is all that the call names. A command that names only ground of one's own is nobody else's business.
    """
    for danger in call.dangers:
        names = {normal(path) for path in danger.paths}
        covered, left = split(seen, [one for one in placed if one.path in names])
        if names and not left and covered:
            continue
        if names and (refusal := _held(tx, ref, seen, danger, left, placed)):
            return refusal
        others = _others(tx, ref, call, seen)
        if others:
            worktree = call.worktree or seen.row["worktree"] or ""
            who = tuple(dict.fromkeys(row["agent_name"] for row in others))
            reason = words.danger(danger.verb, others, worktree)
            return Refusal("danger", reason, tuple(sorted(names))[:20], who, danger.verb)
    return None


def _held(
    tx: Transaction, ref: ProjectRef, seen: Seen, danger: Danger, left: Sequence[Target], placed: Sequence[Target]
) -> Refusal | None:
    """The paths it names are others' ground."""
    open_paths = {one.path for one in left}
    asked = [one for one in placed if one.path in open_paths and one.ground is not None]
    grounds = tuple(one.ground for one in asked if one.ground is not None)
    standing: list[Standing] = seen.scene.live
    decision = decide(Wanted(str(seen.me.holder_id), Mode.EXCLUSIVE, grounds), standing)
    if decision.granted:
        return None
    shown = [{"pattern": one.shown, "repository": None} for one in placed]
    scene = Scene(live=standing, ends=seen.scene.ends)
    conflicts = refusals.conflicts_shown(tx, ref.id, decision, shown, scene)
    if not conflicts:
        return None
    paths = tuple(one.path for one in asked)
    reason = words.held(conflicts, seen.me.now, paths=paths, free=(), total=decision.total)
    who = tuple(dict.fromkeys(conflict["holder"]["agent"] for conflict in conflicts))
    return Refusal("danger", reason, paths, who, danger.verb)


def _others(tx: Transaction, ref: ProjectRef, call: HookCall, seen: Seen) -> list[Row]:
    rows = guards.neighbours(
        tx,
        ref.id,
        root_id=seen.me.holder_id,
        host=seen.row["host"] or call.host,
        # Where the command would act, which need not be where the run was registered.
        worktree=call.worktree or seen.row["worktree"] or "",
    )
    return [row | {"public": ids.show("ins", row["id"])} for row in rows]

"""After the tool: changed files that no claim of the run covers are told, and counted against its guard."""

import threading
from collections.abc import Sequence
from uuid import UUID

from coordination.engine.decide import Wanted, decide
from coordination.engine.modes import Mode
from coordination.services.guard import words
from coordination.services.guard.calls import HookCall, Seen
from coordination.services.guard.touches import Target, split
from coordination.store import guards
from tenants import ids, ledger
from tenants.db import Transaction
from tenants.ledger import Fact
from tenants.principal import Principal
from tenants.selectors.projects import ProjectRef

# What this process has told of each run already: a file stays changed for long, and is news once.
_told: dict[UUID, set[str]] = {}
_lock = threading.Lock()
_RUNS, _PATHS = 10_000, 2_000


def judge(
    tx: Transaction, principal: Principal, ref: ProjectRef, call: HookCall, seen: Seen, placed: Sequence[Target]
) -> tuple[list[str], str]:
    """(the changed paths that nobody's claim of this holder covers, what the model is told of the new ones).

    What another run in the same checkout holds is taken for its work, and left out.
    """
    _, left = split(seen, placed)
    open_paths = {one.path for one in left}
    missed = [one for one in placed if one.path in open_paths]
    if missed and _others_hold(seen, missed) and _has_neighbours(tx, ref, call, seen):
        missed = [one for one in missed if not _others_hold(seen, [one])]
    paths = [one.path for one in missed]
    fresh = _fresh(seen.me.instance_id, paths)
    if not fresh:
        return paths, ""
    guards.missed(tx, seen.me.instance_id)
    public = ids.show("ins", seen.me.instance_id)
    said = {"agent": seen.me.agent, "paths": fresh[:20], "total": len(fresh)}
    fact = Fact("guard.missed", "instance", public, said)
    ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=seen.me.instance_id)
    tx.after_commit(lambda: _remember(seen.me.instance_id, fresh))
    return paths, words.missed(fresh)


def _others_hold(seen: Seen, targets: Sequence[Target]) -> bool:
    grounds = tuple(one.ground for one in targets if one.ground is not None)
    return not decide(Wanted(str(seen.me.holder_id), Mode.EXCLUSIVE, grounds), seen.scene.live).granted


def _has_neighbours(tx: Transaction, ref: ProjectRef, call: HookCall, seen: Seen) -> bool:
    host, worktree = seen.row["host"] or call.host, seen.row["worktree"] or call.worktree or ""
    return bool(guards.neighbours(tx, ref.id, root_id=seen.me.holder_id, host=host, worktree=worktree))


def _fresh(instance_id: UUID, paths: Sequence[str]) -> list[str]:
    with _lock:
        known = _told.get(instance_id, set())
        return [path for path in paths if path not in known]


def _remember(instance_id: UUID, paths: Sequence[str]) -> None:
    with _lock:
        if len(_told) >= _RUNS:
            _told.clear()
        known = _told.setdefault(instance_id, set())
        if len(known) >= _PATHS:
            known.clear()
        known.update(paths)

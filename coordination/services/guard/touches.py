"""Judging what a tool call is about to write: own ground, a probe, nobody's; the rest is claimed, or refused.

The rules are the claim service's: this asks it, and words the answer (agent.md, "Enforcement at the moment of the
edit").
"""

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from coordination.engine.decide import Standing, Wanted, decide
from coordination.engine.ground import Ground
from coordination.engine.guard.paths import is_exempt, is_probe
from coordination.engine.guard.types import DELETE, Touch
from coordination.engine.modes import Mode
from coordination.engine.overlap import contains, covers_path, overlaps
from coordination.engine.patterns import escaped
from coordination.selectors import shapes
from coordination.services import claims
from coordination.services.guard import words
from coordination.services.guard.calls import AUTO_CLAIM, OBSERVE, HookCall, Refusal, Seen, Shape
from coordination.services.requests import ClaimRequest, ScopeRequest
from coordination.store import claims as claim_rows
from coordination.store.grounds import Place
from tenants import ids
from tenants.db import Row, Transaction
from tenants.principal import Principal
from tenants.problems import CATALOGUE, Code, Problem
from tenants.selectors.projects import ProjectRef

REASON = "first touch"
# A covered path may be taken for covered this long without asking again, in seconds.
CACHE_S = 15
_EDITS = (Mode.EXCLUSIVE, Mode.SHARED)
_MEANT = (Code.LIMIT_EXCEEDED, Code.INVALID)


@dataclass(frozen=True, slots=True)
class Target:
    """A path in question, as the ground that an edit of it needs; once placed, with the ground as it is shown."""

    path: str
    scope: ScopeRequest
    ground: Ground | None = None
    shown: str = ""


@dataclass(slots=True)
class Judgement:
    """What became of the paths of a call. ``refusal`` is None when they may be edited."""

    findings: list[Shape] = field(default_factory=list)
    refusal: Refusal | None = None
    context: str = ""


def normal(path: str) -> str:
    """A path of the repository without ``./`` and doubled slashes; a slash at its end is kept, it means a folder."""
    folder = path.endswith("/")
    clean = posixpath.normpath(path) if path else "."
    return clean + "/" if folder and clean != "." else clean


def target(path: str, action: str = "", *, folder: bool = False) -> Target:
    """The ground that touching a path needs: the file itself, or all that lies in a folder.

    A folder is told by a slash at its end. Where something without a suffix is deleted it may be either, and both are
    wanted: a file too many can be waited for, a folder too few is somebody's work. A ``*`` or ``?`` is a shell's.
    """
    if path in (".", "./"):
        return Target(path, ScopeRequest("**", field="touches"))
    if "*" in path or "?" in path:
        return Target(path, ScopeRequest(_named(path), literal_syntax=True, field="touches"))
    if folder or path.endswith("/"):
        return Target(path, ScopeRequest(_named(escaped(path.rstrip("/")) + "/"), field="touches"))
    if action == DELETE and "." not in path.rpartition("/")[2].lstrip("."):
        return Target(path, ScopeRequest(_named(escaped(path)), field="touches"))
    return Target(path, ScopeRequest("file:" + escaped(path), field="touches"))


def _named(text: str) -> str:
    return f"path:{text}" if ":" in text else text


def targets(touches: Iterable[Touch]) -> list[Target]:
    """What has to be judged of some touches, each path once; probes and nobody's ground are left out."""
    found: dict[str, Target] = {}
    for touch in touches:
        path = normal(touch.path)
        if not is_exempt(path) and not is_probe(path):
            found.setdefault(path, target(path, touch.action))
    return list(found.values())


def place(
    principal: Principal, ref: ProjectRef, call: HookCall, wanted: Sequence[Target]
) -> tuple[list[Target], list[Place]]:
    """The targets with their ground, and where to look for what stands near it.

    Raises 422 for a path that cannot be one of the repository.
    """
    if not wanted:
        return [], []
    placed = claims.place(principal, ref, tuple(t.scope for t in wanted), repository=call.repository)
    ground = {g.scope: g for g in placed.grounds}
    shown = {scope["n"]: scope["pattern"] for scope in placed.shown}
    return [replace(t, ground=ground[n], shown=shown[n]) for n, t in enumerate(wanted)], placed.places()


def split(seen: Seen, wanted: Sequence[Target]) -> tuple[list[tuple[Target, Standing]], list[Target]]:
    """(what own live claims cover, with the claim; what they do not)."""
    me = str(seen.me.holder_id)
    own = [s for s in seen.scene.live if s.holder == me and s.mode in _EDITS]
    covered: list[tuple[Target, Standing]] = []
    left: list[Target] = []
    for one in wanted:
        assert one.ground is not None
        claim = next((s for s in own if any(_covers(held, one.ground) for held in s.grounds)), None)
        if claim is not None:
            covered.append((one, claim))
        else:
            left.append(target(one.path, folder=True) if _is_folder(seen, one.ground) else one)
    return covered, left


def _covers(held: Ground, wanted: Ground) -> bool:
    if held.root != wanted.root:
        return False
    if wanted.pattern.exact:
        return covers_path(held.pattern, held.excepts, wanted.pattern.prefix)
    return contains(held.pattern, wanted.pattern) and not any(overlaps(e, wanted.pattern) for e in held.excepts)


def _is_folder(seen: Seen, wanted: Ground) -> bool:
    """Whether somebody has ground below what was taken for a file: then it is a folder, and theirs is in it."""
    below = wanted.pattern.prefix + "/"
    near = [g for claim in seen.scene.live for g in claim.grounds] + [g for e in seen.scene.entries for g in e.grounds]
    return wanted.pattern.exact and any(g.root == wanted.root and g.pattern.prefix.startswith(below) for g in near)


def findings(
    tx: Transaction, ref: ProjectRef, covered: Sequence[tuple[Target, Standing]], touches: Iterable[Touch]
) -> list[Shape]:
    """What is said of covered paths, and of those that are nobody's; one statement."""
    rows = {}
    if covered:
        wanted = {UUID(standing.id) for _, standing in covered}
        rows = {str(row["id"]): row for row in claim_rows.by_ids(tx, ref.id, list(wanted))}
    found = [_of_claim(t.path, "covered", rows[s.id]) for t, s in covered if s.id in rows]
    for touch in touches:
        path = normal(touch.path)
        if is_probe(path) or is_exempt(path):
            found.append(finding(path, "probe" if is_probe(path) else "exempt"))
    return found


def finding(path: str, status: str) -> Shape:
    """What is said of one path that no claim is named for."""
    return {"path": path, "status": status, "claim": None, "fence": None, "holder": None, "expires_at": None}


def _of_claim(path: str, status: str, row: Row) -> Shape:
    return {
        "path": path,
        "status": status,
        "claim": ids.show("clm", row["id"]),
        "fence": row["fence"],
        "holder": shapes.holder(row),
        "expires_at": row["expires_at"],
    }


def judge(principal: Principal, ref: ProjectRef, call: HookCall, seen: Seen, left: Sequence[Target]) -> Judgement:
    """What becomes of paths that no own claim covers, by the project's policy. ``principal`` acts for the run."""
    if not left:
        return Judgement()
    paths = tuple(t.path for t in left)
    if any(t.ground is None for t in left):
        left, _ = place(principal, ref, call, left)
    if seen.frozen:
        refusal = Refusal("frozen", words.frozen(seen.me.policy, paths), paths)
        return Judgement([finding(path, "unclaimed") for path in paths], refusal)
    if seen.policy == AUTO_CLAIM:
        return _claim(principal, ref, call, seen, left)
    return _check(principal, ref, call, seen, left)


def _claim(principal: Principal, ref: ProjectRef, call: HookCall, seen: Seen, left: Sequence[Target]) -> Judgement:
    """First touch: claim all of it, or nothing."""
    paths = tuple(t.path for t in left)
    mode = _mode(seen, left)
    request = ClaimRequest(
        tuple(t.scope for t in left), call.repository, mode=str(mode), reason=REASON, branch=call.branch
    )
    try:
        answer = claims.claim(principal, ref.slug, request)
    except Problem as problem:
        if problem.code is Code.FROZEN:  # since it was looked at
            refusal = Refusal("frozen", words.not_granted(problem.detail, "Wait until it is thawed.", paths), paths)
        elif problem.code in _MEANT:
            refusal = Refusal("limit", _limited(problem, paths), paths)
        else:
            raise
        return Judgement([finding(path, "unclaimed") for path in paths], refusal)
    if answer.kind == "granted":
        claim = answer.body
        shown = {k: claim[k] for k in ("fence", "holder", "expires_at")} | {"claim": claim["id"], "status": "claimed"}
        context = words.shared_note(paths) if mode is Mode.SHARED else ""
        return Judgement([finding(path, "claimed") | shown for path in paths], None, context)
    return _held(answer.body, seen, left)


def _mode(seen: Seen, left: Sequence[Target]) -> Mode:
    """Exclusive; shared where all that stands in the way is others' shared ground."""
    grounds = tuple(t.ground for t in left if t.ground is not None)
    decision = decide(Wanted(str(seen.me.holder_id), Mode.EXCLUSIVE, grounds), seen.scene.live)
    modes = {conflict.standing.mode for conflict in decision.conflicts}
    return Mode.SHARED if modes == {Mode.SHARED} and decision.total == len(decision.conflicts) else Mode.EXCLUSIVE


def _limited(problem: Problem, paths: Sequence[str]) -> str:
    if any(error.field == "takeover_reason" for error in problem.errors):
        return words.lapsed_needs_reason(paths)
    return words.not_granted(problem.detail, CATALOGUE[problem.code].remedy, paths)


def _check(principal: Principal, ref: ProjectRef, call: HookCall, seen: Seen, left: Sequence[Target]) -> Judgement:
    """``observe`` and ``strict`` claim nothing: they look whose it is."""
    answer = claims.check(
        principal, ref.slug, scopes=tuple(t.scope for t in left), repository=call.repository, mode="exclusive"
    )
    if not answer.body["free"]:
        return _held(answer.body, seen, left)
    paths = tuple(t.path for t in left)
    if seen.policy == OBSERVE:
        return Judgement([finding(path, "free") for path in paths])
    found = [finding(path, "unclaimed") for path in paths]
    return Judgement(found, Refusal("unclaimed", words.unclaimed(paths), paths))


def _held(body: Shape, seen: Seen, left: Sequence[Target]) -> Judgement:
    """Others stand in the way: who, path by path. Of very many conflicts not all are told."""
    conflicts = body["conflicts"]
    by_wanted = {conflict["wanted"]: conflict for conflict in reversed(conflicts)}
    free = {scope["pattern"] for scope in body["narrow_to"] if not scope["except"]}
    found: list[Shape] = []
    for one in left:
        conflict = by_wanted.get(one.shown)
        if conflict is not None:
            names = ("claim", "fence", "holder", "expires_at")
            found.append(finding(one.path, "held_by_other") | {name: conflict[name] for name in names})
        else:
            found.append(finding(one.path, "free" if one.shown in free else "held_by_other"))
    rest = [f["path"] for f in found if f["status"] == "free"]
    paths = tuple(f["path"] for f in found if f["status"] != "free")
    reason = words.held(conflicts, seen.me.now, paths=paths, free=rest, total=body["total"])
    who = tuple(dict.fromkeys(conflict["holder"]["agent"] for conflict in conflicts))
    return Judgement(found, Refusal("held", reason, paths, who))

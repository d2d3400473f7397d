"""Verification by path: was this change covered? (claims.md, "Verification")."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from coordination.engine.decide import Standing
from coordination.engine.ground import Ground
from coordination.engine.index import PrefixIndex
from coordination.engine.modes import Mode
from coordination.engine.overlap import covers_path
from coordination.engine.patterns import PatternError, Syntax, escaped, normal_path, parse
from coordination.selectors import shapes
from coordination.services import acting, attesting
from coordination.services.acting import Acting, Handle
from coordination.services.attesting import Covered
from coordination.services.requests import Change
from coordination.services.results import Answer
from coordination.store import claims, grounds, scenes
from tenants import ids
from tenants.db import Row, Transaction, busy, transaction
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, FieldError, Problem, invalid, not_found
from tenants.selectors.projects import ProjectRef, RepositoryRef, project_resolve, repositories_of

_TRIES = 4
# What the client keeps in a checkout is nobody's ground.
_EXEMPT = ".interlock/"
_PASSES = frozenset({"covered", "attested", "exempt"})
_EDITS = (Mode.EXCLUSIVE, Mode.SHARED)
Shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked by whom: the changes by their normal path, and whose claims count (``instance``)."""

    principal: Principal
    project: ProjectRef
    repository: RepositoryRef
    changes: Mapping[str, Change]
    instance: str | None
    attest: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What the claims say of some paths: a finding for each, and what covers those that are covered.

    ``me`` is who acts, where that was asked for.
    """

    policy: str
    findings: Mapping[str, Shape]
    covered: Mapping[str, Covered]
    me: Acting | None


class Hit(NamedTuple):
    """Ground that covers a path, and whether its claim is live."""

    live: bool
    standing: Standing
    ground: Ground


def verify(
    principal: Principal,
    project: str,
    *,
    changes: tuple[Change, ...],
    repository: str | None = None,
    instance: str | None = None,
    attest: bool = False,
    against_attestations: bool = False,
    branch: str = "",
    task: str = "",
) -> Answer:
    """Per path ``covered`` (by which claim, which fence), ``attested`` (by whom, when), ``lapsed``, ``held_by_other``
    (who), ``unclaimed`` or ``exempt``; and a verdict over all of them by the project's policy.

    Without an instance any live claim covers. ``attest`` needs one, and stores of every covered path that it was.
    ``against_attestations`` asks first what was stored, and the claims only for the rest.
    """
    principal.require(Permission.VERIFY, *((Permission.COORDINATE,) if attest else ()))
    ref = project_resolve(principal, project)
    repo = _repository(principal, ref, repository)
    asked = Asked(principal, ref, repo, _changes(repo, changes, attest=attest), instance or principal.instance, attest)
    with transaction(principal.team_id, lean=True) as tx:
        known = attesting.known(tx, ref.id, repo.id, asked.changes) if against_attestations else {}
        paths = [path for path in asked.changes if path not in known]
        if attest:
            seen, stored = _attest(tx, asked, paths, branch, task)
        else:
            seen, stored = _look(tx, asked, paths), 0
    findings = [
        _attested(change.path, known[path]) if path in known else seen.findings[path]
        for path, change in asked.changes.items()
    ]
    body = {"repository": repo.slug, "findings": findings, "attested": stored, **_verdict(seen.policy, findings)}
    return Answer("ok", body)


def _verdict(policy: str, findings: list[Shape]) -> Shape:
    failed = [finding["status"] for finding in findings if finding["status"] not in _PASSES]
    verdict = "warn"
    if policy == "off" or not failed:
        verdict = "pass"
    elif policy == "enforce" or "held_by_other" in failed:
        verdict = "fail"
    return {"verdict": verdict, "policy": policy, "failed": len(failed)}


def _repository(principal: Principal, ref: ProjectRef, slug: str | None) -> RepositoryRef:
    known = repositories_of(principal, ref.id)
    found = known.get(slug) if slug else next((r for r in known.values() if r.is_default), None)
    if found is None:
        names = ", ".join(sorted(known)) or "none yet"
        raise invalid("repository", "unknown_repository", f"no repository {slug!r} here; there is {names}")
    return found


def _changes(repo: RepositoryRef, changes: tuple[Change, ...], *, attest: bool) -> dict[str, Change]:
    """Each changed path once, by its normal form. A path is taken as it is: nothing in it is special.

    The same change said twice is one; two different ones of a path are refused.
    """
    found: dict[str, Change] = {}
    errors = []
    for at, change in enumerate(changes):
        path = normal_path(change.path).removeprefix("./")
        try:
            parse(escaped(path), syntax=Syntax.SCOPE, fold=repo.case_insensitive)
        except PatternError as error:
            errors.append(FieldError(f"changes.{at}.path", error.rule, error.detail))
            continue
        before = found.setdefault(path, change)
        if (before.blob, before.patch, before.patches) != (change.blob, change.patch, change.patches):
            errors.append(FieldError(f"changes.{at}.path", "twice", "this path came before, with other content"))
        if attest and not change.blob:
            errors.append(FieldError(f"changes.{at}.blob", "required", "to attest, say the content's git object id"))
    if errors:
        raise Problem(
            Code.INVALID, f"{errors[0].field}: {errors[0].detail}", errors=errors[:50], total_errors=len(errors)
        )
    return found


def _attest(tx: Transaction, asked: Asked, paths: list[str], branch: str, task: str) -> tuple[Seen, int]:
    """Look, and attest what is covered: what the claims say, and how many attestations are new.

    What stopped being covered between the look and the write is looked at again; what was attested stays so.
    """
    new: dict[str, Covered] = {}
    for _ in range(_TRIES):
        seen = _look(tx, asked, paths)
        assert seen.me is not None
        terms = attesting.Terms(asked.principal, asked.project.id, asked.repository, seen.me, branch, task)
        stands, stored = attesting.store(tx, terms, asked.changes, seen.covered)
        new |= {path: seen.covered[path] for path in stored}
        if len(stands) == len(seen.covered):
            attesting.tell(tx, terms, new)
            return seen, len(new)
    raise busy()


def _look(tx: Transaction, asked: Asked, paths: list[str]) -> Seen:
    """What the claims say of some paths. Two statements, however many there are."""
    fold = asked.repository.case_insensitive
    prefixes = {path: normal_path(path, fold=fold) for path in paths if not path.startswith(_EXEMPT)}
    named, rows = _rows(tx, asked, prefixes.values())
    me = acting.acting(asked.principal, named, rows) if asked.attest else None
    holder = str(rows[0]["root_id"]) if me or named else None
    over = _covering(scenes.read_scene(rows[0]["near"] or ()), prefixes)
    judged = {path: _judge(found, holder) for path, found in over.items()}
    told = {UUID(hit.standing.id) for _, hit in judged.values() if hit}
    shown = {str(row["id"]): row for row in claims.by_ids(tx, asked.project.id, list(told))} if told else {}
    findings = {}
    for path in paths:
        status, hit = judged.get(path, ("exempt", None))
        findings[path] = _finding(asked.changes[path].path, status, shown[hit.standing.id] if hit else None)
    covered = {
        path: Covered(UUID(hit.standing.id), hit.ground.scope)
        for path, (status, hit) in judged.items()
        if status == "covered" and hit
    }
    return Seen(rows[0]["verify_policy"], findings, covered, me)


def _rows(tx: Transaction, asked: Asked, prefixes: Iterable[str]) -> tuple[Handle | None, list[Row]]:
    """Whose claims are meant, and the header with what is held over the paths (store.grounds.look)."""
    principal = asked.principal.acting(instance=asked.instance)
    named = acting.handle(principal)
    rows = grounds.look(
        tx,
        asked.project.id,
        [grounds.Place(str(asked.repository.id), prefix) for prefix in prefixes],
        instance_id=acting.instance_of(named),
        credential=acting.credential(principal) if asked.attest else "",
        holder_id=None,
        hostile=list(Mode),
        below=False,
    )
    if not rows or (named and rows[0]["id"] is None):
        raise not_found("instance" if rows else "project")
    return named, rows


def _covering(scene: scenes.Scene, prefixes: Mapping[str, str]) -> dict[str, list[Hit]]:
    """What covers each path, found by prefix; once for each claim, the oldest claim first."""
    index: PrefixIndex[Hit] = PrefixIndex()
    for live, standings in ((True, scene.live), (False, scene.lapsed)):
        for standing in standings:
            for ground in standing.grounds:
                index.add(ground.pattern.prefix, Hit(live, standing, ground))
    over = {}
    for path, prefix in prefixes.items():
        hits = [hit for hit in index.above(prefix) if covers_path(hit.ground.pattern, hit.ground.excepts, path)]
        over[path] = sorted({hit.standing.id: hit for hit in hits}.values(), key=lambda hit: hit.standing.id)
    return over


def _judge(found: list[Hit], holder: str | None) -> tuple[str, Hit | None]:
    """The status of a path, and the claim it is due to. ``holder`` is None where any live claim covers."""
    mine = [hit for hit in found if holder in (None, hit.standing.holder)]
    for hit in mine:
        if hit.live and hit.standing.mode in _EDITS:
            return "covered", hit
    for hit in found:
        if not hit.live or holder in (None, hit.standing.holder) or hit.standing.mode is Mode.ADVISORY:
            continue
        # Beside a claim of one's own, if only a lapsed one, another's shared ground is no reason.
        if not mine or hit.standing.mode is not Mode.SHARED:
            return "held_by_other", hit
    for hit in mine:
        if not hit.live:
            return "lapsed", hit
    return "unclaimed", None


def _finding(path: str, status: str, claim: Row | None) -> Shape:
    return {
        "path": path,
        "status": status,
        "claim": ids.show("clm", claim["id"]) if claim else None,
        "fence": claim["fence"] if claim else None,
        "holder": shapes.holder(claim) if claim else None,
        "expires_at": claim["expires_at"] if claim else None,
        "by": None,
    }


def _attested(path: str, row: Row) -> Shape:
    by = {"agent": row["agent_name"], "instance": ids.show("ins", row["instance_id"]), "at": row["created_at"]}
    told = {"claim": ids.show("clm", row["claim_id"]), "fence": row["fence"], "by": by}
    return _finding(path, "attested", None) | told

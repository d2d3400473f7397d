"""Verification by path: was this change covered? (claims.md, "Verification")."""

from typing import Any
from uuid import UUID

from coordination.engine.decide import Standing
from coordination.engine.overlap import covers_path
from coordination.engine.patterns import PatternError, Syntax, parse
from coordination.selectors import shapes
from coordination.services import acting
from coordination.services.requests import Change
from coordination.services.results import Answer
from coordination.store import claims, grounds, instances, scenes
from tenants import ids
from tenants.db import Row, Transaction, transaction
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, FieldError, Problem, invalid, not_found
from tenants.selectors.projects import ProjectRef, RepositoryRef, project_resolve, repositories_of

Shape = dict[str, Any]


def verify(
    principal: Principal,
    project: str,
    *,
    changes: tuple[Change, ...],
    repository: str | None = None,
    instance: str | None = None,
) -> Answer:
    """Per path: ``covered`` (by which claim, which fence), ``lapsed``, ``held_by_other`` (who), or ``unclaimed``.

    The verdict is ``pass`` when every path is covered or at least nobody else's, ``fail`` otherwise. Without an
    instance, any live claim covers.
    """
    principal.require(Permission.VERIFY)
    ref = project_resolve(principal, project)
    repo = _repository(principal, ref, repository)
    paths = _paths(repo, changes)
    with transaction(principal.team_id) as tx:
        holder = _holder(tx, principal, ref, instance)
        near = grounds.candidates(
            tx,
            [grounds.Place(str(repo.id), prefix) for prefix in paths.values()],
            holder_id=None,
            hostile=["exclusive", "shared", "read", "advisory"],
        ).fetchall()
        scene = scenes.read_scene(near)
        over = {path: _covering(scene, path) for path in paths}
        named = {standing.id for found in over.values() for _, standing in found}
        rows = {str(row["id"]): row for row in claims.by_ids(tx, ref.id, [UUID(n) for n in named])}
    findings = [_finding(path, found, rows, holder) for path, found in over.items()]
    failed = [f for f in findings if f["status"] in ("held_by_other", "lapsed", "unclaimed")]
    foreign = [f for f in findings if f["status"] == "held_by_other"]
    verdict = "fail" if foreign else ("warn" if failed else "pass")
    return Answer("ok", {"verdict": verdict, "repository": repo.slug, "findings": findings, "failed": len(failed)})


def _repository(principal: Principal, ref: ProjectRef, slug: str | None) -> RepositoryRef:
    known = repositories_of(principal, ref.id)
    found = known.get(slug) if slug else next((r for r in known.values() if r.is_default), None)
    if found is None:
        names = ", ".join(sorted(known)) or "none yet"
        raise invalid("repository", "unknown_repository", f"no repository {slug!r} here; there is {names}")
    return found


def _paths(repo: RepositoryRef, changes: tuple[Change, ...]) -> dict[str, str]:
    """Each changed path once, with its prefix. A path is taken as it is: nothing in it is special."""
    paths: dict[str, str] = {}
    errors = []
    for at, change in enumerate(changes):
        try:
            escaped = "".join("\\" + c if c in "*?[]{}\\" else c for c in change.path)
            paths[change.path] = parse(escaped, syntax=Syntax.SCOPE, fold=repo.case_insensitive)[0].prefix
        except PatternError as error:
            errors.append(FieldError(f"changes.{at}.path", error.rule, error.detail))
    if errors:
        raise Problem(Code.INVALID, f"{errors[0].field}: {errors[0].detail}", errors=errors[:50])
    return paths


def _holder(tx: Transaction, principal: Principal, ref: ProjectRef, instance: str | None) -> str | None:
    text = instance or principal.instance
    named = acting.handle(principal.acting(instance=text)) if text else None
    rows = instances.header(tx, ref.id, acting.instance_of(named), "").fetchall()
    if not rows or (named and rows[0]["id"] is None):
        raise not_found("instance" if rows else "project")
    return str(rows[0]["root_id"]) if named else None


def _covering(scene: scenes.Scene, path: str) -> list[tuple[bool, Standing]]:
    """The standings that cover a path, each with whether it is live."""
    return [
        (live, standing)
        for live, standings in ((True, scene.live), (False, scene.lapsed))
        for standing in standings
        if any(covers_path(g.pattern, g.excepts, path) for g in standing.grounds)
    ]


def _finding(path: str, found: list[tuple[bool, Standing]], rows: dict[str, Row], holder: str | None) -> Shape:
    mine = [(live, s) for live, s in found if holder is None or s.holder == holder]
    others = [s for live, s in found if live and holder is not None and s.holder != holder and s.mode != "advisory"]
    edits = ("exclusive", "shared")
    for live, standing in mine:
        if live and standing.mode in edits:
            row = rows[standing.id]
            return {"path": path, "status": "covered", **_claim(row)}
    for standing in others:
        if standing.mode in ("exclusive", "read") or not mine:
            return {"path": path, "status": "held_by_other", **_claim(rows[standing.id])}
    for live, standing in mine:
        if not live:
            return {"path": path, "status": "lapsed", **_claim(rows[standing.id])}
    return {"path": path, "status": "unclaimed", "claim": None, "fence": None, "holder": None, "expires_at": None}


def _claim(row: Row) -> Shape:
    return {
        "claim": ids.show("clm", row["id"]),
        "fence": row["fence"],
        "holder": shapes.holder(row),
        "expires_at": row["expires_at"],
    }

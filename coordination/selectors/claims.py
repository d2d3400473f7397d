"""Claims as they are listed and looked up."""

from typing import Any
from uuid import UUID

from coordination.engine.overlap import covers_path
from coordination.engine.patterns import PatternError, Syntax, parse
from coordination.selectors import shapes
from coordination.selectors.paging import Page, cursor_id
from coordination.store import claims, grounds
from coordination.store.scenes import ground_of
from tenants import ids
from tenants.db import Row, Transaction, transaction
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import invalid, not_found
from tenants.selectors.projects import ProjectRef, project_resolve, repositories_of

STATES = ("held", "lapsed", "released", "expired", "revoked", "transferred")


def held_by(tx: Transaction, project_id: UUID, holder_id: UUID, limit: int = 200) -> list[Row]:
    """The live claims of a holder, newest first."""
    return claims.held_by(tx, project_id, holder_id, limit)


def claim_get(principal: Principal, project: str, claim_id: str) -> dict[str, Any]:
    """One claim; 404 for absent and foreign."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    found = ids.parse("clm", claim_id)
    with transaction(principal.team_id) as tx:
        rows = claims.by_ids(tx, ref.id, [found]) if found else []
    if not rows:
        raise not_found("claim")
    return shapes.claim(rows[0])


def claim_list(
    principal: Principal,
    project: str,
    *,
    state: str | None = None,
    path: str | None = None,
    agent: str | None = None,
    instance: str | None = None,
    task: str | None = None,
    repository: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Claims, newest first. ``path`` asks who covers one path now; it may be said as answers show it (``file:…``)."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    if state is not None and state not in STATES:
        raise invalid("state", "unknown", f"{state!r} is none of {', '.join(STATES)}")
    instance_id = ids.parse("ins", instance.partition(".")[0]) if instance else None
    if instance and instance_id is None:
        raise invalid("instance", "bad_id", "an instance looks like ins_…")
    with transaction(principal.team_id) as tx:
        covering = _covering(tx, principal, ref, path, repository) if path is not None else None
        rows = claims.listed(
            tx,
            ref.id,
            state=state,
            agent=agent,
            instance_id=instance_id,
            task=task,
            repository=repository,
            ids=covering,
            before=cursor_id(cursor),
            limit=limit + 1,
        )
    return Page.of(rows, limit, shapes.claim, key=lambda row: row["id"])


def _covering(tx: Transaction, principal: Principal, ref: ProjectRef, path: str, repository: str | None) -> list[UUID]:
    known = repositories_of(principal, ref.id)
    found = []
    if path.startswith(("file:", "path:")):
        path = path[len("file:") :]
    for candidate in known.values():
        if repository is not None and candidate.slug != repository:
            continue
        if repository is None and not candidate.is_default:
            continue
        try:
            prefix = parse(path, syntax=Syntax.PATH, fold=candidate.case_insensitive)[0].prefix
        except PatternError as error:
            raise invalid("path", error.rule, error.detail) from None
        place = grounds.Place(str(candidate.id), prefix)
        for row in grounds.candidates(
            tx, [place], holder_id=None, hostile=["exclusive", "shared", "read", "advisory"]
        ).fetchall():
            ground = ground_of(row)
            if row["claim_id"] and covers_path(ground.pattern, ground.excepts, path.rstrip("/")):
                found.append(UUID(row["claim_id"]))
    return found

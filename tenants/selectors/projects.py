"""Reads of projects, and the two look-ups every hot call begins with: a project and its repositories by slug.

Both look-ups are kept in this process. A project's slug never changes, so it is known for good (deletion
forgets it); repositories change, so they are believed for a few seconds at most, and their ``version`` lets
whoever decides about ground compare once more under its locks.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenants import pages
from tenants.db import transaction
from tenants.models import Project
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import not_found

REPOSITORY_SECONDS = 5.0
_CACHE_SIZE = 20_000


@dataclass(frozen=True, slots=True)
class ProjectRef:
    """A project as the hot paths need it."""

    id: UUID
    slug: str


@dataclass(frozen=True, slots=True)
class RepositoryRef:
    """A repository as the hot paths need it. ``version`` rises with every change."""

    id: UUID
    slug: str
    case_insensitive: bool
    is_default: bool
    version: int


_projects: dict[tuple[UUID, str], ProjectRef] = {}
_repositories: dict[UUID, tuple[float, Mapping[str, RepositoryRef]]] = {}


def project_resolve(principal: Principal, slug: str) -> ProjectRef:
    """The project behind a slug, without a database call where it is known.

    Works inside an open transaction, too. Raises Problem ``not_found`` where there is none, and for a
    credential that is bound to another project.
    """
    known = _projects.get((principal.team_id, slug))
    if known is None:
        known = _look_up(principal.team_id, slug)
    if principal.project_id not in (None, known.id):
        raise not_found("project")
    return known


def _look_up(team_id: UUID, slug: str) -> ProjectRef:
    if "\x00" in slug:  # Postgres knows no such text
        raise not_found("project")
    with transaction(team_id) as tx:
        row = tx.run("SELECT id FROM tenants_project WHERE team_id = %s AND slug = %s", [team_id, slug]).fetchone()
        if row is None:
            raise not_found("project")
        if len(_projects) >= _CACHE_SIZE:
            _projects.clear()
        found = ProjectRef(row["id"], slug)
        tx.after_commit(lambda: _projects.__setitem__((team_id, slug), found))
    return found


def repositories_of(owner: Principal | UUID, project_id: UUID) -> Mapping[str, RepositoryRef]:
    """The project's repositories by slug, believed for a few seconds; works inside an open transaction, too.

    ``owner`` is the principal, or the team's id where a worker acts. Do not change the answer.
    """
    kept = _repositories.get(project_id)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    team_id = owner if isinstance(owner, UUID) else owner.team_id
    until = time.monotonic() + REPOSITORY_SECONDS
    with transaction(team_id) as tx:
        rows = tx.run(
            "SELECT id, slug, case_insensitive, is_default, version FROM tenants_repository"
            " WHERE team_id = %s AND project_id = %s ORDER BY slug",
            [team_id, project_id],
        ).fetchall()
    found = {row["slug"]: RepositoryRef(**row) for row in rows}
    if len(_repositories) >= _CACHE_SIZE:
        _repositories.clear()
    _repositories[project_id] = (until, found)
    return found


def forget(project_id: UUID) -> None:
    """Drop what this process remembers of a project; called after a commit that changed something of it."""
    _repositories.pop(project_id, None)
    for key in [key for key, known in list(_projects.items()) if known.id == project_id]:
        _projects.pop(key, None)


def project_list(principal: Principal, *, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    """``{"items", "next_cursor"}``: the projects, oldest first; only its own for a bound credential."""
    principal.require(Permission.READ)
    after = pages.start(cursor)
    with transaction(principal.team_id):
        rows = Project.objects.order_by("id")
        if principal.project_id is not None:
            rows = rows.filter(id=principal.project_id)
        if after is not None:
            rows = rows.filter(id__gt=after)
        found = list(rows[: pages.check_limit(limit) + 1])
    return pages.page(found, limit=limit, key=lambda row: row.id, show=project_show)


def project_get(principal: Principal, slug: str) -> dict[str, Any]:
    """One project. Raises Problem ``not_found`` where there is none for this credential."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, slug)
    with transaction(principal.team_id):
        found = Project.objects.filter(id=ref.id).first()
    if found is None:
        forget(ref.id)
        raise not_found("project")
    return project_show(found)


# Public name of each policy field -> column (claims.md, "Life of a claim", "Limits", "Verification"; agent.md,
# "Enforcement at the moment of the edit").
POLICY: Mapping[str, str] = {
    "idle_limit_seconds": "idle_limit_s",
    "grace_seconds": "grace_s",
    "max_ttl_seconds": "max_ttl_s",
    "max_claims_per_agent": "max_claims_per_agent",
    "max_queued_per_agent": "max_queued_per_agent",
    "takeover_needs_reason": "takeover_needs_reason",
    "guard_policy": "guard_policy",
    "guard_offline": "guard_offline",
    "verify_policy": "verify_policy",
}
# What the policies that are words may be.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "guard_policy": ("observe", "auto-claim", "strict"),
    "guard_offline": ("open", "closed"),
    "verify_policy": ("off", "warn", "enforce"),
}


def project_show(project: Project) -> dict[str, Any]:
    """The public shape of a project; ``version`` is its ETag."""
    frozen = {"at": project.frozen_at, "by": project.frozen_by, "reason": project.frozen_reason}
    return {
        "id": project.public_id,
        "slug": project.slug,
        "name": project.name,
        "policy": {public: getattr(project, column) for public, column in POLICY.items()},
        "frozen": frozen if project.frozen_at else None,
        "version": project.version,
        "created_at": project.created_at,
    }

"""Reads of a project's repositories."""

from typing import Any

from tenants import pages
from tenants.db import transaction
from tenants.models import Repository
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import not_found
from tenants.selectors.projects import project_resolve


def repository_list(
    principal: Principal, project: str, *, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """``{"items", "next_cursor"}``: the project's repositories, oldest first."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    after = pages.start(cursor)
    with transaction(principal.team_id):
        rows = Repository.objects.filter(project_id=ref.id).order_by("id")
        if after is not None:
            rows = rows.filter(id__gt=after)
        found = list(rows[: pages.check_limit(limit) + 1])
    return pages.page(found, limit=limit, key=lambda row: row.id, show=repository_show)


def repository_get(principal: Principal, project: str, slug: str) -> dict[str, Any]:
    """One repository by its slug. Raises Problem ``not_found``."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    with transaction(principal.team_id):
        found = Repository.objects.filter(project_id=ref.id, slug=slug.replace("\x00", "")).first()
    if found is None or found.slug != slug:
        raise not_found("repository")
    return repository_show(found)


def repository_show(repository: Repository) -> dict[str, Any]:
    """The public shape of a repository; ``version`` is its ETag."""
    return {
        "id": repository.public_id,
        "slug": repository.slug,
        "remote": repository.remote,
        "default_branch": repository.default_branch,
        "case_insensitive": repository.case_insensitive,
        "is_default": repository.is_default,
        "version": repository.version,
        "created_at": repository.created_at,
    }

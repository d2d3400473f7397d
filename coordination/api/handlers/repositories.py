"""Repositories of a project."""

from coordination.api import etag
from coordination.api.call import Call
from coordination.api.handlers import document, gone, made_document, shown
from coordination.services.results import Answer
from tenants.selectors import repositories as selectors
from tenants.services import repositories as services


def repository_list(call: Call) -> Answer:
    """Repositories, oldest first."""
    return shown(
        selectors.repository_list(call.principal, call.project, limit=call.query.limit, cursor=call.query.cursor)
    )


def repository_create(call: Call) -> Answer:
    """A new repository."""
    made = services.repository_create(call.principal, call.project, **call.body.model_dump())
    here = f"/api/v1/teams/{call.principal.team_slug}/projects/{call.project}/repositories/{made['slug']}"
    return made_document(made, here)


def repository_get(call: Call) -> Answer:
    """One repository."""
    return document(selectors.repository_get(call.principal, call.project, call.id))


def repository_change(call: Call) -> Answer:
    """Change a repository."""
    return document(
        services.repository_change(
            call.principal,
            call.project,
            call.id,
            expected_version=etag.expected(
                call.if_match,
                lambda: int(selectors.repository_get(call.principal, call.project, call.id)["version"]),
            ),
            **call.body.model_dump(),
        )
    )


def repository_delete(call: Call) -> Answer:
    """Remove a repository that nobody holds ground in."""
    services.repository_delete(call.principal, call.project, call.id)
    return gone()

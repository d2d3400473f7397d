"""Who is asking, teams, and projects."""

from coordination.api import etag
from coordination.api.call import Call
from coordination.api.handlers import document, made_document, shown
from coordination.selectors import me as identity
from coordination.services import freeze as freezing
from coordination.services.results import Answer
from tenants.auth import teams_of
from tenants.selectors import projects as project_selectors
from tenants.selectors import teams as team_selectors
from tenants.services import projects as project_services


def me(call: Call) -> Answer:
    """Who am I?"""
    return shown(identity.me(call.principal))


def team_list(call: Call) -> Answer:
    """The teams the caller can see: a token its own, a person every one they belong to."""
    principal = call.principal
    if principal.person_id is None:
        items = [team_selectors.team_get(principal) | {"role": None}]
    else:
        items = [
            {"slug": team["slug"], "name": team["name"], "role": team["role"]} for team in teams_of(principal.person_id)
        ]
    return shown({"items": items, "next_cursor": None})


def team_get(call: Call) -> Answer:
    """One team."""
    return shown(team_selectors.team_get(call.principal))


def project_list(call: Call) -> Answer:
    """Projects of the team."""
    return shown(project_selectors.project_list(call.principal, limit=call.query.limit, cursor=call.query.cursor))


def project_create(call: Call) -> Answer:
    """A new project."""
    body = call.body
    made = project_services.project_create(
        call.principal, slug=body.slug, name=body.name, repository=body.repository, remote=body.remote
    )
    return made_document(made, f"/api/v1/teams/{call.principal.team_slug}/projects/{made['slug']}")


def project_get(call: Call) -> Answer:
    """One project with its policy."""
    return document(project_selectors.project_get(call.principal, call.project))


def project_change(call: Call) -> Answer:
    """Change a project's name or policy."""
    policy = call.body.policy
    return document(
        project_services.project_change(
            call.principal,
            call.project,
            expected_version=etag.expected(
                call.if_match,
                lambda: int(project_selectors.project_get(call.principal, call.project)["version"]),
            ),
            name=call.body.name,
            policy=policy.model_dump(exclude_none=True) if policy is not None else None,
        )
    )


def freeze(call: Call) -> Answer:
    """Stop all grants in the project now."""
    return freezing.freeze(call.principal, call.project, call.body.reason)


def thaw(call: Call) -> Answer:
    """Let grants go on."""
    return freezing.thaw(call.principal, call.project)

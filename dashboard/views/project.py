"""One project: who is here, what they hold, who waits, what happened last."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.access import team_page
from dashboard.overview import project_overview
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.selectors.projects import project_get
from tenants.selectors.repositories import repository_list
from tenants.selectors.teams import team_get


@require_safe
@team_page
def overview(request: HttpRequest, principal: Principal, project: str) -> HttpResponse:
    """The overview; 404 where this person sees no such project."""
    context = {
        "team": team_get(principal),
        "project": project_get(principal, project),
        "many_repositories": len(repository_list(principal, project, limit=2)["items"]) > 1,
        "can_manage_tokens": principal.allows(Permission.TOKENS_MANAGE),
        "base_url": settings.BASE_URL,
        "wheel_url": settings.WHEEL_URL,
    }
    return render(request, "dashboard/project.html", context | project_overview(principal, project))

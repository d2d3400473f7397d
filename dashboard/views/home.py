"""The first page: one's teams and their projects."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard.access import address_of, problem_page
from dashboard.overview import project_counts
from tenants.auth import principal_for_person, teams_of
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Problem
from tenants.selectors.projects import project_list


@require_safe
@never_cache
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Every team of the signed-in person, with its projects and how busy they are."""
    try:
        teams = []
        for team in teams_of(request.user.pk):
            principal = principal_for_person(request.user, team["slug"], address=address_of(request))
            teams.append(_team(principal, team))
    except Problem as problem:
        return problem_page(request, problem)
    return render(request, "dashboard/home.html", {"teams": teams})


def _team(principal: Principal, team: dict[str, Any]) -> dict[str, Any]:
    projects = project_list(principal, limit=200)["items"]
    return {
        "slug": team["slug"],
        "name": team["name"],
        "role": team["role"],
        "can_manage_tokens": principal.allows(Permission.TOKENS_MANAGE),
        "projects": [project | {"counts": project_counts(principal, project["slug"])} for project in projects],
    }

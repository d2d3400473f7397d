"""A team's tokens: list, make (the secret is shown once), revoke."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import once
from dashboard.access import team_page
from dashboard.forms import TokenForm
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem
from tenants.selectors.projects import project_list
from tenants.selectors.teams import team_get
from tenants.selectors.tokens import token_list
from tenants.services.tokens import token_create, token_revoke

# Mistakes the person can mend in the form; everything else is a page of its own.
_MENDABLE = {Code.INVALID, Code.FORBIDDEN, Code.NOT_FOUND}


@require_http_methods(["GET", "HEAD", "POST"])
@team_page
def index(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The list with the form; a POST makes a token and shows its secret, this once."""
    principal.require(Permission.TOKENS_MANAGE)
    projects = project_list(principal, limit=200)["items"]
    form = TokenForm(request.POST or None, principal=principal, projects=projects)
    if request.method == "POST":
        if not once.take(request, request.POST.get("once", "")):
            messages.info(request, "That form was sent before. Nothing more was made.")
            return redirect("dashboard:tokens", team=principal.team_slug)
        if form.is_valid() and (made := _create(principal, form)):
            return _shown_once(request, principal, made)
    found = token_list(principal, limit=50, cursor=request.GET.get("cursor"))
    context = {
        "team": team_get(principal),
        "token_items": found["items"],
        "next_cursor": found["next_cursor"],
        "form": form,
        "once": once.issue(request),
    }
    return render(request, "dashboard/tokens.html", context, status=422 if form.errors else 200)


@require_POST
@team_page
def revoke(request: HttpRequest, principal: Principal, token: str) -> HttpResponse:
    """Revoke one token, and say so on the list."""
    gone = token_revoke(principal, token)
    messages.success(request, f"“{gone['name']}” is revoked. Whoever used it is refused from now on.")
    return redirect("dashboard:tokens", team=principal.team_slug)


def _create(principal: Principal, form: TokenForm) -> dict[str, Any] | None:
    try:
        return token_create(principal, **form.wanted())
    except Problem as problem:
        if problem.code not in _MENDABLE:
            raise
        for error in problem.errors:
            form.add_error(error.field if error.field in form.fields else None, error.detail)
        if not problem.errors:
            form.add_error(None, problem.detail)
        return None


def _shown_once(request: HttpRequest, principal: Principal, made: dict[str, Any]) -> HttpResponse:
    context = {
        "team": team_get(principal),
        "token": made,
        "base_url": settings.BASE_URL,
        "wheel_url": settings.WHEEL_URL,
    }
    response = render(request, "dashboard/token_created.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response

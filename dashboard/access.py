"""How a page gets its principal, and how a problem becomes a page. Every team page comes through here."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from tenants.auth import principal_for_person
from tenants.principal import Principal
from tenants.problems import CATALOGUE, Problem

_P = ParamSpec("_P")


def team_page(
    view: Callable[Concatenate[HttpRequest, Principal, _P], HttpResponse],
) -> Callable[..., HttpResponse]:
    """A view that takes the signed-in person's principal in the team that the address names.

    Membership and role are read at every request, so a change takes effect at the next one. A team one does not
    belong to is the same 404 as one that does not exist.
    """

    @never_cache
    @login_required
    @wraps(view)
    def page(request: HttpRequest, /, team: str, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        try:
            principal = principal_for_person(request.user, team, address=address_of(request))
            return view(request, principal, *args, **kwargs)
        except Problem as problem:
            return problem_page(request, problem)

    return page


def problem_page(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The page for a mistake: what it was and the way out, with the status every other door would answer."""
    entry = CATALOGUE[problem.code]
    context = {
        "title": entry.title,
        "detail": problem.detail,
        "remedy": entry.remedy,
        "status": problem.status,
    }
    response = render(request, "dashboard/problem.html", context, status=problem.status)
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def address_of(request: HttpRequest) -> str:
    """Where a request comes from, for the ledger."""
    return str(request.META.get("REMOTE_ADDR", ""))[:60]

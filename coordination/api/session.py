"""The carrier for the dashboard's session: one Django REST framework view over the same table and handlers.

Cookies are sent by browsers on their own, so writes need Django's CSRF token; a bearer token never comes
here.
"""

from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse, parse_cookie
from django.http.request import RawPostDataException
from rest_framework.authentication import CSRFCheck
from rest_framework.views import APIView

from coordination.api import metrics, parse, render, serve
from coordination.api.call import Call, Route
from coordination.api.limits import shared_limiter
from coordination.api.render import Context, Response
from coordination.api.router import Router
from coordination.api.routes import ROUTES
from coordination.api.serve import Incoming
from coordination.api.waits import block
from tenants.auth import principal_for_person, teams_of
from tenants.idempotency import Stored
from tenants.principal import Principal
from tenants.problems import Code, Problem, not_found

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
router = Router(ROUTES)


class SessionView(APIView):  # type: ignore[misc]
    """Every route of the table, for somebody who is signed in."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer one request; whatever goes wrong is a problem document."""
        headers = request.headers
        context = Context(
            parse.request_id(_bytes(headers.get("X-Request-Id"))) or render.new_request_id(),
            request.path,
            request.META.get("QUERY_STRING", "").encode("ascii", "replace"),
            parse.trace_id(_bytes(headers.get("traceparent"))),
        )
        extra: list[tuple[bytes, bytes]] = []
        name = "unmatched"
        try:
            route, params = router.find(request.method or "", request.path)
            name = route.name
            principal = _principal(request, params, context)
            extra = shared_limiter().take(principal.team_id, principal.actor.id)
            response = _perform(request, route, params, principal, context)
        except Problem as error:
            response = render.problem(error, context)
        except Exception as error:
            response = render.crash(error, context)
        metrics.count(name, response.status, "session")
        return _respond(response, extra)


def _principal(request: HttpRequest, params: dict[str, str], context: Context) -> Principal:
    person = request.user
    if not person.is_authenticated:
        raise serve.unauthenticated()
    if request.method not in _SAFE:
        _check_csrf(request)
    team = params.get("team") or request.GET.get("team") or _first_team(person.pk)
    principal = principal_for_person(person, team, door="rest", address=_address(request))
    return principal.acting(request_id=context.request_id, instance=request.headers.get("Interlock-Instance") or None)


def principal_of_cookie(cookie: str, team: str, address: str) -> Principal:
    """The principal of a browser's session outside Django's request cycle: event streams, which only read.

    Raises 401 where nobody is signed in, 404 for a team the person does not belong to.
    """
    key = parse_cookie(cookie).get(settings.SESSION_COOKIE_NAME)
    person = get_user(SimpleNamespace(session=SessionStore(key))) if key else None  # type: ignore[arg-type]
    if person is None or not person.is_authenticated:
        raise serve.unauthenticated()
    return principal_for_person(person, team, door="rest", address=address)


def _first_team(person_id: int) -> str:
    teams = teams_of(person_id)
    if not teams:
        raise not_found("team")
    return str(teams[0]["slug"])


def _check_csrf(request: HttpRequest) -> None:
    check = CSRFCheck(lambda _: HttpResponse())
    check.process_request(request)
    reason = check.process_view(request, None, (), {})
    if reason:
        raise Problem(Code.CSRF_FAILED, f"{reason}")


def _perform(
    request: HttpRequest, route: Route, params: dict[str, str], principal: Principal, context: Context
) -> Response:
    incoming = _incoming(request, route)
    call: Call = serve.read(route, params, principal, incoming)
    assert route.follow is None, "deploy.asgi sends streams to the hot door"
    given = serve.perform(route, call, incoming)
    if isinstance(given, Stored):
        return render.replayed(given, context)
    return render.answer(block(given), context, route, if_none_match=call.if_none_match)


def _incoming(request: HttpRequest, route: Route) -> Incoming:
    body = b""
    if route.body is not None:
        limit = settings.MAX_BODY_BYTES
        if serve.declared_too_large(_bytes(request.META.get("CONTENT_LENGTH")), limit):
            raise serve.too_large(limit)
        try:
            body = request.read(limit + 1)
        except (OSError, RawPostDataException):
            raise Problem(Code.BAD_REQUEST, "The body broke off.") from None
        if len(body) > limit:
            raise serve.too_large(limit)
    header = request.headers.get
    return Incoming(
        request.META.get("QUERY_STRING", "").encode("ascii", "replace"),
        body,
        _bytes(header("Content-Type")),
        _bytes(header("Content-Encoding")),
        _bytes(header("If-Match")),
        _bytes(header("If-None-Match")),
        _bytes(header("Idempotency-Key")),
        _bytes(header("Last-Event-ID")),
    )


def _bytes(header: str | None) -> bytes | None:
    return header.encode("latin-1", "replace") if header else None


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")[:60]


def _respond(response: Response, extra: list[tuple[bytes, bytes]]) -> HttpResponse:
    out = HttpResponse(response.body, status=response.status)
    del out.headers["Content-Type"]
    for name, value in [*response.headers, *extra]:
        out.headers[name.decode()] = value.decode("latin-1")
    return out

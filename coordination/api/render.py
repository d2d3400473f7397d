"""Answers and problems into status, headers and bytes: the same at both carriers."""

import itertools
import logging
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

import orjson

from coordination.api import etag
from coordination.api.call import Route
from coordination.services.results import STATUS, Answer
from tenants.idempotency import Stored
from tenants.problems import Code, Problem

log = logging.getLogger("interlock.api")

Headers = list[tuple[bytes, bytes]]
JSON = (b"content-type", b"application/json")
PROBLEM_JSON = (b"content-type", b"application/problem+json")
NO_STORE = (b"cache-control", b"no-store")
# A document with an ETag may be kept, and must be asked about each time: that is what the ETag is for.
REVALIDATE = (b"cache-control", b"private, no-cache")
NOSNIFF = (b"x-content-type-options", b"nosniff")
_REFUSALS = frozenset({"refused", "deadlock", "lost"})
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
_process = secrets.token_hex(5)
_numbers = itertools.count(1)


class Response(NamedTuple):
    """What goes out."""

    status: int
    headers: Headers
    body: bytes


class Context(NamedTuple):
    """What every answer says about its request. ``query_string`` is for the link to the next page."""

    request_id: str
    path: str
    query_string: bytes = b""
    trace: str = ""


def new_request_id() -> str:
    """A request id that no other process gives out."""
    return f"req-{_process}-{next(_numbers):x}"


def dumps(value: Any) -> bytes:
    """JSON as it goes out: times in RFC 3339 with ``Z``."""
    return orjson.dumps(value, option=_OPTIONS)


def answer(given: Answer, context: Context, route: Route, *, if_none_match: str | None = None) -> Response:
    """A service's answer. Refusals become problem documents; a document the client has already is 304."""
    status = STATUS[given.kind]
    if status == 201 and route.method == "GET":
        status = 200  # somebody asked what became of a wait: reading creates nothing
    if given.kind in _REFUSALS:
        document = given.body | {"request_id": context.request_id, "instance": quote(context.path)}
        return Response(status, _headers(PROBLEM_JSON, NO_STORE, context, given.headers), dumps(document))
    tag = given.headers.get("ETag") if given.headers else None
    if tag and if_none_match and route.method == "GET" and etag.matches(if_none_match, tag):
        return Response(304, _headers(JSON, REVALIDATE, context, given.headers)[1:], b"")
    if status == 204:
        return Response(status, _headers(JSON, NO_STORE, context, given.headers)[1:], b"")
    headers = _headers(JSON, REVALIDATE if tag else NO_STORE, context, given.headers)
    if route.paged and given.body.get("next_cursor"):
        headers.append((b"link", _next_page(context, given.body["next_cursor"])))
    return Response(status, headers, dumps(given.body))


def replayed(stored: Stored, context: Context) -> Response:
    """A stored answer, once more."""
    headers = stored.headers | {"Idempotency-Replayed": "true"}
    if stored.status == STATUS["empty"]:
        return Response(stored.status, _headers(JSON, NO_STORE, context, headers)[1:], b"")
    if stored.status < 400:
        return Response(stored.status, _headers(JSON, NO_STORE, context, headers), dumps(stored.body))
    document = stored.body | {"request_id": context.request_id, "instance": quote(context.path)}
    return Response(stored.status, _headers(PROBLEM_JSON, NO_STORE, context, headers), dumps(document))


def problem(error: Problem, context: Context) -> Response:
    """A problem document."""
    document = error.document(request_id=context.request_id)
    document["instance"] = quote(context.path)
    return Response(error.status, _headers(PROBLEM_JSON, NO_STORE, context, error.headers), dumps(document))


def crash(error: BaseException, context: Context) -> Response:
    """The answer for an exception nobody expected: logged here in full, told to nobody."""
    log.error(
        "request %s on %s failed (trace %s)",
        context.request_id,
        context.path,
        context.trace or "none",
        exc_info=error,
    )
    return problem(Problem(Code.INTERNAL), context)


def _headers(
    kind: tuple[bytes, bytes], cache: tuple[bytes, bytes], context: Context, more: Mapping[str, str]
) -> Headers:
    headers = [kind, cache, NOSNIFF, (b"x-request-id", context.request_id.encode())]
    if more:
        headers.extend((name.lower().encode(), value.encode("latin-1", "replace")) for name, value in more.items())
    return headers


def _next_page(context: Context, cursor: str) -> bytes:
    pairs = [(k, v) for k, v in parse_qsl(context.query_string.decode("ascii", "replace")) if k != "cursor"]
    query = urlencode([*pairs, ("cursor", cursor)])
    return f'<{quote(context.path)}?{query}>; rel="next"'.encode()

"""What both carriers do with a request once they know who asks: check, read, call, and remember where a key
says so.
"""

from typing import NamedTuple

from coordination.api import parse
from coordination.api.call import Call, Route
from coordination.services.results import STATUS, Answer
from tenants import idempotency
from tenants.db import transaction
from tenants.idempotency import Stored
from tenants.principal import Principal
from tenants.problems import Code, Problem, not_found


class Incoming(NamedTuple):
    """A request as its carrier read it; headers as bytes, None where absent."""

    query_string: bytes = b""
    body: bytes = b""
    content_type: bytes | None = None
    content_encoding: bytes | None = None
    if_match: bytes | None = None
    if_none_match: bytes | None = None
    idempotency_key: bytes | None = None
    last_event_id: bytes | None = None


def check_team(principal: Principal, params: dict[str, str]) -> None:
    """Raise 404 where the path names another team than the credential's: absent and foreign look the same."""
    if params.get("team", principal.team_slug) != principal.team_slug:
        raise not_found("team")


def read(route: Route, params: dict[str, str], principal: Principal, incoming: Incoming) -> Call:
    """The checked call. Raises 404, 403, then what is wrong with the request itself (400, 415, 422)."""
    check_team(principal, params)
    principal.require(*route.permissions)
    return Call(
        principal,
        params,
        parse.query(route, incoming.query_string),
        parse.body(route.body, incoming.body, incoming.content_type, incoming.content_encoding)
        if route.body is not None
        else None,
        _text(incoming.if_match),
        _text(incoming.if_none_match),
        parse.idempotency_key(incoming.idempotency_key) if route.idempotent else None,
        _text(incoming.last_event_id),
    )


def perform(route: Route, call: Call, incoming: Incoming) -> Answer | Stored:
    """The answer; a Stored one where this very request was answered before. Runs on a thread, raises
    problems.
    """
    if call.idempotency_key is None:
        return route.handler(call)
    return _once(route, call, call.idempotency_key, incoming)


def _once(route: Route, call: Call, key: str, incoming: Incoming) -> Answer | Stored:
    given = parse.decode(incoming.body) if incoming.body else None
    digest = idempotency.body_digest(call.params, incoming.query_string.decode("latin-1"), given)
    mark = idempotency.fingerprint(call.principal, route.name, key)
    with transaction(call.principal.team_id) as tx:
        stored = idempotency.begin(tx, mark, digest)
        if stored is None:
            answer = route.handler(call)
            idempotency.store(tx, mark, digest, _kept(route, answer))
            return answer
    if stored.status == STATUS["queued"] and route.resume is not None:
        return route.resume(call, stored.body)
    return stored


def _kept(route: Route, answer: Answer) -> Stored:
    # What is shown once is shown once: a secret is not stored to be replayed.
    body = answer.body | dict.fromkeys(route.shown_once) if route.shown_once else answer.body
    return Stored(STATUS[answer.kind], body, dict(answer.headers))


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


def too_large(limit: int) -> Problem:
    """The 413: nothing of it was stored."""
    return Problem(Code.TOO_LARGE, f"The body may have {limit} bytes. Nothing was stored.", limit=limit)


def declared_too_large(content_length: bytes | None, limit: int) -> bool:
    """Whether Content-Length already says so."""
    return content_length is not None and content_length.isdigit() and int(content_length[:20]) > limit


def unauthenticated() -> Problem:
    """The 401 for a request without any credential."""
    return Problem(Code.UNAUTHENTICATED, headers={"WWW-Authenticate": 'Bearer realm="interlock"'})

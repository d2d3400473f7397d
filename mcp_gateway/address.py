"""Where the MCP door is: its addresses, who may call from a browser, and what RFC 9728 says of each address."""

import re
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.http.request import validate_host

from mcp_gateway.tools import DEFAULT_SET, SETS, scopes_of
from mcp_gateway.visit import Place
from tenants.problems import Code, Problem, invalid, not_found

PAGE = "/mcp"
METADATA = "/.well-known/oauth-protected-resource"
_PATH = re.compile(r"/mcp/([a-z0-9-]{1,40})(?:/([a-z0-9-]{1,40}))?")

HELP = """\
Interlock, for agents that speak MCP (Model Context Protocol)

Address   {base}/mcp/TEAM/PROJECT      (or {base}/mcp/TEAM, naming the project with each call)
Header    Authorization: Bearer ilk_agent_...

A token is made by an admin of the team: on the dashboard ({base}/), under Tokens, or with
POST {base}/api/v1/teams/TEAM/tokens. It needs the scopes {scopes}. There is no OAuth authorization server here:
tokens are given out by people, can be bound to a project and to an agent, expire, and are revoked on the same page.

Tools     ?tools=core (what you get unless you say so), full, claims, board, or control (sync only)
"""


def place_of(path: str, query: bytes) -> Place:
    """The place behind an address. Raises 404, or 422 for a set of tools that there is not."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise not_found("address")
    return Place(found[1], found[2], _set(query))


def _set(query: bytes) -> str:
    if not query:
        return DEFAULT_SET
    try:
        named = parse_qs(query.decode("ascii"), keep_blank_values=True, max_num_fields=20).get("tools")
    except ValueError:  # includes UnicodeDecodeError
        raise Problem(Code.BAD_REQUEST, "The query string is not percent-encoded UTF-8, or far too long.") from None
    if named is None:
        return DEFAULT_SET
    if len(named) != 1 or named[0] not in SETS:
        raise invalid("tools", "unknown", f"{', '.join(named)[:100]!r} is no set of tools; there is {', '.join(SETS)}")
    return named[0]


def check_origin(origin: bytes | None) -> None:
    """Raise 403 for a request that a foreign page sent: only browsers say Origin, and no page of ours calls here."""
    if origin is not None and not _allowed(origin):
        raise Problem(
            Code.FORBIDDEN,
            f"Pages of {origin.decode('latin-1')[:100]} may not call this server; MCP_ORIGINS lists those that may.",
            needs=[],
        )


@lru_cache(maxsize=1024)
def _allowed(origin: bytes) -> bool:
    text = origin.decode("latin-1")
    if text in settings.MCP_ORIGINS:
        return True
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return False
    # A host that answers to any name has no name of its own to compare with but the one in BASE_URL.
    ours = [name for name in settings.ALLOWED_HOSTS if name != "*"] + [urlsplit(settings.BASE_URL).hostname or ""]
    host = f"[{host}]" if ":" in host else host
    return parts.scheme in ("http", "https") and bool(host) and validate_host(host, [name for name in ours if name])


def metadata_url(path: str) -> str:
    """Where the RFC 9728 document of an address is."""
    return f"{settings.BASE_URL}{METADATA}{path}"


def metadata(path: str) -> dict[str, object]:
    """The document of the address behind ``METADATA``. Public: it says nothing about whether there is such a team.

    Raises 404 for what could not be an address of this door.
    """
    resource = path.removeprefix(METADATA)
    if _PATH.fullmatch(resource) is None:
        raise not_found("protected resource")
    return {
        "resource": settings.BASE_URL + resource,
        "resource_name": "Interlock",
        "bearer_methods_supported": ["header"],
        "scopes_supported": list(scopes_of("full")),
        # No authorization_servers: there is none. Tokens are given out by people; the page says how.
        "resource_documentation": settings.BASE_URL + PAGE,
    }


def page() -> str:
    """How one connects, for people and for agents that ask."""
    return HELP.format(base=settings.BASE_URL, scopes=", ".join(scopes_of("full")))


def challenge(problem: Problem, path: str, *, given: bool) -> str:
    """The WWW-Authenticate of a 401 or of a 403 for scopes (RFC 6750, RFC 9728)."""
    parts = [f'resource_metadata="{metadata_url(path)}"']
    if problem.status == 403:
        scopes = " ".join(str(needed) for needed in problem.extra["needs"])
        parts = ['error="insufficient_scope"', f'scope="{scopes}"', *parts]
    elif given:
        parts = ['error="invalid_token"', *parts]
    return "Bearer " + ", ".join(parts)

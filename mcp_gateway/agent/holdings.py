"""The claims of this session's run."""

from typing import Any

from mcp_gateway.agent.context import Context
from mcp_gateway.agent.ground import is_kind, repository_path

Claim = dict[str, Any]


def mine(context: Context) -> list[Claim]:
    """Every live claim of the run and its family, newest first."""
    return listed(context, {"instance": context.run.instance, "state": "held"})


def listed(context: Context, query: dict[str, Any], most: int = 2000) -> list[Claim]:
    """The claims that a query finds, page by page."""
    found: list[Claim] = []
    cursor = None
    while len(found) < most:
        page = context.client.request("GET", "claims", query=query | {"limit": 200, "cursor": cursor}).body
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return found


def meant(context: Context, text: str) -> set[str]:
    """The patterns that an argument could have been claimed as: a file, or a path, or `kind:name` as typed."""
    if is_kind(text, context.cwd):
        return {text}
    path = repository_path(text, context.checkout, context.cwd)
    plain = path.rstrip("/")
    return {path, plain, f"file:{plain}", f"path:{path}"} if plain else {"**"}

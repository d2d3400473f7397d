"""The agents' MCP door. Its tools are not served yet: it says so instead of looking broken."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from tenants.problems import Code, Problem

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer every request 501 ``not_served``."""
    document = Problem(Code.NOT_SERVED, "The MCP gateway comes with the next release.").document()
    body = orjson.dumps(document | {"instance": scope["path"]})
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": 501, "headers": headers})
    await send({"type": "http.response.body", "body": body})

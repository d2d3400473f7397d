"""Our entry among the MCP servers of a client's JSON file: ``{"mcpServers": {"interlock": {…}}}``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp_gateway.agent.wiring import jsonedit
from mcp_gateway.agent.wiring.edits import Edit, UnfitError

ROOT, NAME = "mcpServers", "interlock"


def edit(path: str, entry: Mapping[str, Any], tool: str) -> Edit:
    """The edit that puts the entry into a file."""

    def put(text: str) -> str:
        found = jsonedit.get(text, (ROOT, NAME))
        if found is not None and not ours(found):
            raise UnfitError(f"it has a server called `{NAME}` that is something else")
        return jsonedit.put(text, (ROOT, NAME), dict(entry))

    def take(text: str) -> str:
        if not ours(jsonedit.get(text, (ROOT, NAME))):
            return text
        text = jsonedit.drop(text, (ROOT, NAME))
        return jsonedit.drop(text, (ROOT,)) if jsonedit.get(text, (ROOT,)) == {} else text

    by_hand = json.dumps({ROOT: {NAME: dict(entry)}}, indent=2)
    return Edit(path, "MCP server", put, take, by_hand, tool, bare)


def ours(entry: Any) -> bool:
    """Whether an entry runs our command, or asks our gateway."""
    if not isinstance(entry, dict):
        return False
    command = str(entry.get("command", "")).replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    url = str(entry.get("url") or entry.get("httpUrl") or "")
    return command == NAME or "/mcp/" in url


def bare(text: str) -> bool:
    """Whether a JSON file says nothing any more."""
    return bool(jsonedit.read(text) == {})

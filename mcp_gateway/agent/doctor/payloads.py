"""The planted edit, in the words of each client, and how each is told no.

The shapes are those that ``coordination.engine.guard.payloads`` reads. The file is below ``.interlock/probe/``, which
every guard refuses whatever the policy; nothing is ever written there.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from mcp_gateway.agent.wiring.tool import Tool

Payload = dict[str, Any]
_EVENTS = {
    "claude": ("SessionStart", "PreToolUse", "SessionEnd"),
    "codex": ("SessionStart", "PreToolUse", "SessionEnd"),
    "cursor": ("sessionStart", "preToolUse", "sessionEnd"),
    "gemini": ("SessionStart", "BeforeTool", "SessionEnd"),
}


def probe(tool: Tool, top: str, session: str) -> list[tuple[str, Payload]]:
    """(event, payload) of a session that begins, plants its edit, and ends."""
    start, edit, end = _EVENTS[tool.name]
    base: Payload = {"session_id": session, "cwd": top}
    if tool.name == "cursor":
        base |= {"conversation_id": session, "workspace_roots": [top]}
    path = f"{top}/.interlock/probe/{secrets.token_hex(8)}"
    return [
        (start, base | {"hook_event_name": start, "source": "startup"}),
        (edit, base | {"hook_event_name": edit} | _edit(tool, path)),
        (end, base | {"hook_event_name": end, "reason": "other"}),
    ]


def denied(code: int, out: str) -> bool:
    """Whether an answer refuses, in any client's words."""
    if code == 2:
        return True
    try:
        said = json.loads(out)
    except ValueError:
        return False
    if not isinstance(said, dict):
        return False
    inner = said.get("hookSpecificOutput")
    words = (said.get("permission"), said.get("decision"))
    return "deny" in (*words, inner.get("permissionDecision") if isinstance(inner, dict) else None)


def _edit(tool: Tool, path: str) -> Payload:
    if tool.name == "codex":
        patch = f"*** Begin Patch\n*** Add File: {path}\n+probe\n*** End Patch"
        return {"tool_name": "apply_patch", "tool_input": {"command": patch}}
    name = "write_file" if tool.name == "gemini" else "Write"
    return {"tool_name": name, "tool_input": {"file_path": path, "content": "probe"}}

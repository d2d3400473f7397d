"""The tools that can be wired, and which of them are used here."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from mcp_gateway.agent.wiring.claude import CLAUDE
from mcp_gateway.agent.wiring.codex import CODEX
from mcp_gateway.agent.wiring.cursor import CURSOR
from mcp_gateway.agent.wiring.edits import REFUSALS, Held
from mcp_gateway.agent.wiring.gemini import GEMINI
from mcp_gateway.agent.wiring.texts import read_text
from mcp_gateway.agent.wiring.tool import Tool

TOOLS = {tool.name: tool for tool in (CLAUDE, CODEX, CURSOR, GEMINI)}


def chosen(names: Iterable[str]) -> list[Tool]:
    """The tools of some names, ``all`` being every one, in the order of ``TOOLS``."""
    wanted = set(names)
    return [tool for name, tool in TOOLS.items() if name in wanted or "all" in wanted]


def wired(top: Path) -> list[Tool]:
    """The tools that have a server or hooks of ours in this worktree, right or not."""
    return [tool for tool in TOOLS.values() if any(_has(top, tool, number) for number in (0, 1))]


def present(top: Path) -> list[Tool]:
    """The tools that show: wired, by a folder or file of theirs, by a program that is installed."""
    has = wired(top)
    return [
        tool
        for tool in TOOLS.values()
        if tool in has
        or any((top / sign).exists() for sign in tool.signs)
        or any(shutil.which(binary) for binary in tool.binaries)
    ]


def _has(top: Path, tool: Tool, number: int) -> bool:
    edit = tool.edits(top)[number]
    text = None
    try:
        text = read_text(top / edit.path)
        return text is not None and edit.held(text) is not Held.NOTHING
    except REFUSALS:
        return "interlock" in (text or "")  # somebody put it there by hand

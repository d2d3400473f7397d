"""What one coding tool needs to know of us: its MCP server, its hooks, the protocol in its own document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_gateway.agent.wiring import blocks, servers
from mcp_gateway.agent.wiring.edits import Edit, block
from mcp_gateway.agent.wiring.hooks import Hooks
from mcp_gateway.agent.wiring.protocol import TEXT


def nested(command: str, timeout: int, matcher: str = "", *, name: str = "") -> dict[str, Any]:
    """A group with one handler, as Claude Code, Codex and Gemini CLI have it."""
    handler = ({"name": name} if name else {}) | {"type": "command", "command": command, "timeout": timeout}
    return ({"matcher": matcher} if matcher else {}) | {"hooks": [handler]}


def flat(command: str, timeout: int, matcher: str = "") -> dict[str, Any]:
    """A handler, as Cursor has it."""
    return {"command": command, "timeout": timeout} | ({"matcher": matcher} if matcher else {})


@dataclass(frozen=True, slots=True)
class Tool:
    """One coding tool.

    Attributes:
        name: as it is asked for: ``claude``.
        client: as the hook command and the server's guard call it: ``claude-code``.
        signs: files and folders of a repository that show it is used there.
        binaries: programs that show it is installed.
        servers: the file of its MCP servers, ``stdio`` and ``http`` our entry in it; no ``http``, only the command.
        entries: our hooks by event.
        document: the file its instructions are in; ``head`` begins it where it is all ours.
        notes: what a person must do before any of it runs.
    """

    name: str
    title: str
    client: str
    signs: tuple[str, ...]
    binaries: tuple[str, ...]
    servers: str
    stdio: Mapping[str, Any]
    http: Mapping[str, Any] | None
    hooks_file: str
    entries: Mapping[str, Mapping[str, Any]]
    document: str
    notes: tuple[str, ...] = ()
    head: str = ""
    nested_hooks: bool = True
    fixed: Mapping[str, Any] | None = None
    server_edit: Edit | None = None

    @property
    def hooks(self) -> Hooks:
        """Its hooks."""
        return Hooks(self.client, self.entries, self.nested_hooks, self.fixed)

    def server(self, *, http: bool = False) -> Edit:
        """The edit of its MCP servers."""
        if self.server_edit is not None:
            return self.server_edit
        return servers.edit(self.servers, self.http if http and self.http else self.stdio, self.name)

    def hooking(self) -> Edit:
        """The edit of its hooks."""
        hooks = self.hooks
        wanted = {**(self.fixed or {}), "hooks": {event: [dict(entry)] for event, entry in self.entries.items()}}
        by_hand = json.dumps(wanted, indent=2)
        return Edit(self.hooks_file, "hooks", hooks.put, hooks.take, by_hand, self.name, hooks.bare)

    def telling(self, top: Path) -> Edit:
        """The edit of its document; one that is nothing but a pointer to ``AGENTS.md`` is followed."""
        path = self.document
        if path == "CLAUDE.md" and _points_on(top / path):
            path = "AGENTS.md"
        return block(path, "protocol", blocks.MARKDOWN, TEXT, self.name, self.head)

    def edits(self, top: Path, *, http: bool = False) -> list[Edit]:
        """All of them."""
        return [self.server(http=http), self.hooking(), self.telling(top)]


def _points_on(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    return any(line.strip() == "@AGENTS.md" for line in text.splitlines())

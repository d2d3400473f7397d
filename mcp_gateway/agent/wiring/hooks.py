"""Hooks of ours among the hooks of others, in a client's JSON file.

Claude Code, Codex and Gemini nest (``{event: [{matcher, hooks: [handler]}]}``); Cursor lists handlers
(``{event: [handler]}``). A handler is ours when its command runs ``interlock hook CLIENT``, wherever the program lies.
A group somebody put other handlers into as well is theirs: our handler in it counts, and is only taken out on removal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_gateway.agent.wiring import jsonedit
from mcp_gateway.agent.wiring.jsonedit import NotJsonError

ROOT = "hooks"


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks one client gets: for each event one entry. ``fixed`` are members the file must have besides."""

    client: str
    entries: Mapping[str, Mapping[str, Any]]
    nested: bool = True
    fixed: Mapping[str, Any] | None = None

    def put(self, text: str) -> str:
        """The text with exactly these hooks of ours. Raises NotJsonError."""
        for key, value in (self.fixed or {}).items():
            if jsonedit.get(text, (key,)) is None:
                text = jsonedit.put(text, (key,), value)
        for event in self._events(text):
            if event not in self.entries:
                text = self._without(text, event)
        for event, entry in self.entries.items():
            text = self._with(text, event, dict(entry))
        return text

    def take(self, text: str) -> str:
        """The text without hooks of ours, and without what is empty then. Raises NotJsonError."""
        if not any(self._mine(text, event) for event in self._events(text)):
            return text
        for event in self._events(text):
            text = self._without(text, event)
        return jsonedit.drop(text, (ROOT,)) if jsonedit.get(text, (ROOT,)) == {} else text

    def commands(self, text: str, event: str) -> list[str]:
        """The commands of ours that run at an event, as they are written. Raises NotJsonError."""
        return [
            str(handler["command"])
            for entry in self._entries(text, event)
            for handler in self._handlers(entry)
            if self._ours(handler)
        ]

    def bare(self, text: str) -> bool:
        """Whether nothing is left but what we add to any file."""
        left = jsonedit.read(text)
        return all(key in (self.fixed or {}) and value == (self.fixed or {})[key] for key, value in left.items())

    def _events(self, text: str) -> list[str]:
        found = jsonedit.get(text, (ROOT,))
        if found is not None and not isinstance(found, dict):
            raise NotJsonError("`hooks` is not an object")
        return list(found or {})

    def _entries(self, text: str, event: str) -> list[Any]:
        found = jsonedit.get(text, (ROOT, event))
        if found is not None and not isinstance(found, list):
            raise NotJsonError(f"`hooks.{event}` is not a list")
        return list(found or [])

    def _handlers(self, entry: Any) -> list[Any]:
        if not isinstance(entry, dict):
            return []
        found = entry.get("hooks") if self.nested else [entry]
        return found if isinstance(found, list) else []

    def _ours(self, handler: Any) -> bool:
        command = handler.get("command") if isinstance(handler, dict) else None
        pattern = rf"""interlock(?:\.exe)?["']?\s+hook\s+{re.escape(self.client)}(?:\s|$)"""
        return isinstance(command, str) and bool(re.search(pattern, command))

    def _mine(self, text: str, event: str) -> list[int]:
        """The places of entries that hold a handler of ours."""
        entries = self._entries(text, event)
        return [place for place, entry in enumerate(entries) if any(map(self._ours, self._handlers(entry)))]

    def _shared(self, entry: Any) -> bool:
        return not all(map(self._ours, self._handlers(entry)))

    def _with(self, text: str, event: str, wanted: dict[str, Any]) -> str:
        entries, mine = self._entries(text, event), self._mine(text, event)
        if any(self._shared(entries[place]) for place in mine):
            return text
        for place in reversed(mine[1:]):
            text = jsonedit.drop_item(text, (ROOT, event), place)
        if not mine:
            return jsonedit.append(text, (ROOT, event), wanted)
        same = entries[mine[0]] == wanted
        return text if same else jsonedit.put_item(text, (ROOT, event), mine[0], wanted)

    def _without(self, text: str, event: str) -> str:
        entries = self._entries(text, event)
        for place in reversed(self._mine(text, event)):
            entry = entries[place]
            if self._shared(entry):
                kept = [handler for handler in self._handlers(entry) if not self._ours(handler)]
                text = jsonedit.put_item(text, (ROOT, event), place, {**entry, "hooks": kept})
            else:
                text = jsonedit.drop_item(text, (ROOT, event), place)
        if entries and jsonedit.get(text, (ROOT, event)) == []:
            text = jsonedit.drop(text, (ROOT, event))
        return text

"""An edit: one thing of ours in one file, that can be put in, put right, and taken out again."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from mcp_gateway.agent.wiring import blocks
from mcp_gateway.agent.wiring.blocks import Style, TangledError
from mcp_gateway.agent.wiring.jsonedit import NotJsonError


class UnfitError(ValueError):
    """A file that must not be edited by a program; the message says why, in one sentence without its full stop."""


REFUSALS = (UnfitError, TangledError, NotJsonError)


class Held(enum.StrEnum):
    """What a file has of an edit."""

    NOTHING = "nothing"
    CURRENT = "current"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing of ours in one file of a worktree.

    Attributes:
        path: relative to the top of the worktree, with ``/``.
        what: what it is, for a person: "MCP server".
        put: the text with it; the same text where it is there and right. Raises one of ``REFUSALS``.
        take: the text without it; the same text where it is not there. Raises one of ``REFUSALS``.
        by_hand: what a person adds where ``put`` refuses.
        tool: the tool it is for; empty for what all share.
        bare: whether a text says nothing any more, so that the file may go with its last edit.
    """

    path: str
    what: str
    put: Callable[[str], str]
    take: Callable[[str], str]
    by_hand: str
    tool: str = ""
    bare: Callable[[str], bool] = lambda text: not text.removeprefix("\ufeff").strip()

    def held(self, text: str) -> Held:
        """What the text has of it. Raises one of ``REFUSALS``."""
        if self.take(text) == text:
            return Held.NOTHING
        return Held.CURRENT if self.put(text) == text else Held.DIFFERS


def block(path: str, what: str, style: Style, body: str, tool: str = "", head: str = "") -> Edit:
    """An edit that is a managed block; ``head`` is what a new file begins with."""

    def put(text: str) -> str:
        return blocks.put(text or head, style, body)

    def take(text: str) -> str:
        return blocks.take(text, style)

    def bare(text: str) -> bool:
        return text.strip() in ("", head.strip())

    return Edit(path, what, put, take, f"{style.begin}\n{body.rstrip()}\n{style.end}", tool, bare)

"""Conditional requests over versioned documents (RFC 9110, section 13; api.md, "Conventions")."""

import re
from collections.abc import Callable
from typing import Any

from tenants.problems import Code, Problem

_TAGS = re.compile(r'\s*(?:(W/)?"([^"]*)")\s*(?:,|$)')
_VERSION = re.compile(r"v(\d{1,18})")


def tag(version: int) -> str:
    """The strong ETag of a version."""
    return f'"v{version}"'


def matches(header: str, current: str) -> bool:
    """Whether an If-None-Match header names this ETag (weak comparison), or everything."""
    return header.strip() == "*" or any(f'"{name}"' == current for _, name in _TAGS.findall(header))


def expected(header: str | None, current: Callable[[], int]) -> int | None:
    """The version an If-Match header asks for; None where it asks for none (absent or ``*``).

    ``current`` is asked only where the header names several. Raises Problem ``precondition_failed`` when no
    tag in it could be this document's: weak tags never match (strong comparison).
    """
    if header is None or header.strip() == "*":
        return None
    versions = [_VERSION.fullmatch(name) for weak, name in _TAGS.findall(header) if not weak]
    wanted = {int(match[1]) for match in versions if match}
    if len(wanted) > 1:
        now = current()
        wanted = {now} & wanted
    if not wanted:
        raise stale()
    return wanted.pop()


def stale(**extra: Any) -> Problem:
    """The 412 for a document that was written in between."""
    return Problem(Code.PRECONDITION_FAILED, **extra)

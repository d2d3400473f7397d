"""Which files a patch text touches. Only its headers are read; its lines are never kept.

Rests on the public description of Codex's patch format (`*** Begin Patch`), seen in 2026-11, and on POSIX `diff -u`.
"""

from __future__ import annotations

from .types import DELETE, WRITE, Touch

_ACTIONS = (
    ("*** Add File: ", WRITE),
    ("*** Update File: ", WRITE),
    ("*** Delete File: ", DELETE),
    ("*** Move to: ", WRITE),
)
_NOTHING = "/dev/null"


def patched(text: str) -> tuple[Touch, ...]:
    """The files of a patch in the `*** Begin Patch` format; a moved file goes away where it was."""
    touches: list[Touch] = []
    # The client trims its lines, too. A line of context that looks like a header is one path too many, never too few.
    for line in map(str.strip, text.splitlines()):
        for start, action in _ACTIONS:
            path = line[len(start) :].strip() if line.startswith(start) else ""
            if not path:
                continue
            if start == "*** Move to: " and touches and touches[-1].action == WRITE:
                touches[-1] = Touch(touches[-1].path, DELETE)
            touches.append(Touch(path, action))
    return tuple(dict.fromkeys(touches))


def diffed(text: str, strip: int) -> tuple[Touch, ...] | None:
    """The files of a unified diff, with `strip` leading names taken off each; None when that cannot be told."""
    touches: list[Touch] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("--- "):
            before = _stripped(line[4:], strip)
        elif line.startswith("+++ ") and before:
            after = _stripped(line[4:], strip)
            touch = Touch(before, DELETE) if after == _NOTHING else Touch(after, WRITE)
            if not touch.path or touch.path == _NOTHING:
                return None
            touches.append(touch)
            before = ""
    return tuple(dict.fromkeys(touches)) or None


def _stripped(name: str, strip: int) -> str:
    name = name.split("\t", 1)[0].strip()
    if name == _NOTHING:
        return name
    return "/".join(name.split("/")[strip:])

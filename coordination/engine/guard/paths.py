"""A path as a tool wrote it, as a path of the repository. String work only: links are not followed.

Rule's source: agent.md, Enforcement: a guard goes by the target of the write, never by the working directory alone.
"""

from __future__ import annotations

import ntpath
import posixpath

from .types import DELETE, WORKTREE, Danger, ToolUse, Touch

PROBE = ".interlock/probe/"
_NOBODYS = (".git", ".interlock")


def relative(root: str, cwd: str, path: str, *, windows: bool = False) -> str | None:
    """`path` below `root`, with `/` between its names; None when it is outside, or cannot be told.

    Args:
        root: the top of the checkout, absolute.
        cwd: what a relative `path` starts from, absolute.
        path: absolute or relative; `.` and `..` are worked out. The root itself is `.`.
        windows: drives, backslashes, and names that differ in case alone are the same. A path in the manner of a
            Unix shell on Windows (`/c/work`) is taken as one of drive C.
    """
    top, target = _absolute("", root, windows), _absolute(cwd, path, windows)
    return None if top is None or target is None else _below(top, target, windows)


def settle(root: str, use: ToolUse, *, windows: bool = False) -> tuple[tuple[Touch, ...], tuple[Danger, ...]]:
    """What a hook call does to the checkout at `root`: touches and dangers with paths of the repository.

    What lies outside is left out: touches, dangers git is told to do in a folder elsewhere, dangers limited to paths
    elsewhere. A danger limited to the whole checkout loses its limits. Doing away with the checkout itself, or with a
    folder it lies in, is a danger to all of it.
    """
    touches: dict[Touch, None] = {}
    dangers: dict[Danger, None] = {}
    for touch in use.touches:
        path = relative(root, use.cwd, touch.path, windows=windows)
        if path is not None and path != ".":
            touches[Touch(path, touch.action)] = None
        elif touch.action == DELETE and _holds(touch.path, use.cwd, root, windows):
            dangers[Danger("rm", (), WORKTREE)] = None
    for danger in use.dangers:
        if danger.where and relative(root, use.cwd, danger.where, windows=windows) is None:
            continue
        placed = [relative(root, use.cwd, path, windows=windows) for path in danger.paths]
        inside = tuple(path for path in placed if path is not None)
        if inside or not danger.paths:
            dangers[Danger(danger.verb, () if "." in inside else inside, danger.what)] = None
    return tuple(touches), tuple(dangers)


def is_probe(path: str) -> bool:
    """Whether a repository-relative path is a planted probe: always refused, so that the refusal can be seen."""
    return path.startswith(PROBE) and len(path) > len(PROBE)


def is_exempt(path: str) -> bool:
    """Whether a repository-relative path is nobody's ground: git's own files and, but for the probe, ours."""
    return path.split("/", 1)[0] in _NOBODYS and not is_probe(path)


def _holds(path: str, cwd: str, root: str, windows: bool) -> bool:
    """Whether the checkout is `path` or lies below it."""
    top, target = _absolute("", root, windows), _absolute(cwd, path, windows)
    return top is not None and target is not None and _below(target, top, windows) is not None


def _absolute(cwd: str, path: str, windows: bool) -> str | None:
    """The path with `.` and `..` worked out and `/` between its names; None when it is not absolute after all."""
    if not path or "\0" in path or path.startswith("~"):
        return None
    if windows:
        joined = ntpath.normpath(ntpath.join(_drive(cwd), _drive(path))).replace("\\", "/")
        return joined if joined[1:3] == ":/" or joined.startswith("//") else None
    joined = posixpath.join(cwd, path)
    # Two leading slashes mean something to POSIX and nothing to any system a checkout lies on.
    return "/" + posixpath.normpath(joined).lstrip("/") if joined.startswith("/") else None


def _drive(path: str) -> str:
    if path[:1] == "/" and path[1:2].isascii() and path[1:2].isalpha() and path[2:3] in ("", "/"):
        path = f"{path[1]}:/{path[3:]}"
    return path.replace("/", "\\").removeprefix("\\\\?\\")


def _below(top: str, path: str, windows: bool) -> str | None:
    left, right = top.rstrip("/").split("/"), path.rstrip("/").split("/")
    for ours, theirs in zip(left, right, strict=False):
        if ours != theirs and not (windows and ours.casefold() == theirs.casefold()):
            return None
    return "/".join(right[len(left) :]) or "." if len(left) <= len(right) else None

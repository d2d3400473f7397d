"""A path as a tool wrote it, as a path of the repository. String work only: links are not followed.

Rule's source: agent.md, Enforcement: a guard goes by the target of the write, never by the working directory alone.
"""

from __future__ import annotations

import ntpath
import posixpath

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
    if not path or "\0" in path or path.startswith("~"):
        return None
    if windows:
        return _below(_windows(root, ""), _windows(path, _windows(cwd, "")))
    if not path.startswith("/") and not cwd.startswith("/"):
        return None
    return _below(_posix(root), _posix(posixpath.join(cwd, path)))


def is_probe(path: str) -> bool:
    """Whether a repository-relative path is a planted probe: always refused, so that the refusal can be seen."""
    return path.startswith(PROBE) and len(path) > len(PROBE)


def is_exempt(path: str) -> bool:
    """Whether a repository-relative path is nobody's ground: git's own files and, but for the probe, ours."""
    first = path.split("/", 1)[0]
    return first in _NOBODYS and not is_probe(path)


def _posix(path: str) -> str:
    # Two leading slashes mean something to POSIX and nothing to any system a checkout lies on.
    return "/" + posixpath.normpath("/" + path).lstrip("/")


def _windows(path: str, cwd: str) -> str:
    path = path.replace("/", "\\")
    if len(path) >= 2 and path[0] == "\\" and path[1].isalpha() and path[2:3] in ("", "\\"):
        path = f"{path[1]}:\\{path[3:]}"
    if path.startswith("\\\\?\\"):
        path = path[4:]
    return ntpath.normpath(ntpath.join(cwd, path)).replace("\\", "/")


def _below(root: str, path: str) -> str | None:
    drive = root[1:2] == ":"
    known = path.startswith("/") or path[1:3] == ":/"
    if not known or not root:
        return None
    left, right = (root.casefold(), path.casefold()) if drive else (root, path)
    if right == left:
        return "."
    start = left if left.endswith("/") else left + "/"
    return path[len(start) :] if right.startswith(start) else None

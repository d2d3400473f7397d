"""Reading git's raw-and-patch output as it streams by: which paths, which blobs, and a digest of the lines.

The digest is what survives a rebase: sha256 over a path's own added and removed lines (each with its sign and line
end), in file order, without hunk headers and without context. Two commits that change the same lines of the same path
have the same digest wherever in the file those lines stand. It is empty where there are no lines: binary files, mode
changes, empty files. A last line counts the same with and without its newline: whether it has one changes when
somebody adds a line below it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

GONE = "0" * 40
"""The blob of a path that is no more, whatever the repository's hash."""

_COMMIT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\n")
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_RAW = re.compile(rb":\d+ \d+ [0-9a-f]+ ([0-9a-f]+) ([A-Z])\d*\t(.*)\n", re.DOTALL)
_ESCAPE = re.compile(rb"\\([abtnvfr\"\\]|[0-7]{3})")
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_HEADER = b"diff --git "


@dataclass
class Touched:
    """One path as one comparison shows it: what it became, and the digest of its lines."""

    blob: str
    lines: "_Hash | None" = field(default=None, repr=False)

    @property
    def patch(self) -> str:
        """The digest, empty without lines."""
        return self.lines.hexdigest() if self.lines else ""


def text(name: bytes) -> str:
    """A path as text; bytes that are not UTF-8 become lone surrogates and come back by :func:`octets`."""
    return name.decode("utf-8", "surrogateescape")


def octets(path: str) -> bytes:
    """A path as the bytes git knows it by."""
    return path.encode("utf-8", "surrogateescape")


def unquoted(name: bytes) -> bytes:
    """A name as git prints it in line-based output: in quotes with C escapes when it holds anything unusual."""
    if not name.startswith(b'"'):
        return name
    return _ESCAPE.sub(lambda found: _unescaped(found[1]), name[1:-1])


def _unescaped(code: bytes) -> bytes:
    if len(code) == 3:
        return bytes([int(code, 8)])
    return _ESCAPED.get(code, code)


def read(lines: Iterable[bytes]) -> Iterator[tuple[str, dict[str, Touched]]]:
    """The comparisons in the output of ``git diff-tree|diff-index --raw -p -U0``: (commit, its paths).

    The commit is empty for a comparison without one. Bodies of hunks are counted, never looked at for structure, so
    a file that holds a patch does not confuse it. Unmerged paths are left out: they cannot be committed.
    """
    commit, paths, path = "", dict[str, Touched](), ""
    old = new = 0
    for line in lines:
        if line.startswith(b"\\"):
            continue  # "\ No newline at end of file", which may follow the last counted line
        if old or new:
            old, new = old - line.startswith(b"-"), new - line.startswith(b"+")
            _add(paths, path, line)
        elif found := _HUNK.match(line):
            old, new = (int(count or 1) for count in found.groups(b"1"))
        elif line.startswith(_HEADER):
            path = text(_name(line))
        elif raw := _RAW.fullmatch(line):
            if raw[2] != b"U":
                gone = raw[2] == b"D"
                paths[text(unquoted(raw[3]))] = Touched(GONE if gone else raw[1].decode())
        elif _COMMIT.fullmatch(line):
            if commit or paths:
                yield commit, paths
            commit, paths, path = line.decode().strip(), {}, ""
    if commit or paths:
        yield commit, paths


def _add(paths: dict[str, Touched], path: str, line: bytes) -> None:
    """Take one changed line into the digest of its path."""
    if (touched := paths.get(path)) is not None:
        if touched.lines is None:
            touched.lines = hashlib.sha256()
        touched.lines.update(line)


def _name(line: bytes) -> bytes:
    """The path of a ``diff --git a/X b/X`` line. Without renames both are the same, so the length tells them apart."""
    both = line[len(_HEADER) : -1]
    half = both[: len(both) // 2]
    return unquoted(b'"' + half[3:] if half.startswith(b'"') else half[2:])

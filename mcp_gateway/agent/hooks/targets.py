"""Where the targets of a tool call lie: whose checkout, and which path of the repository.

A write is judged where it lands, whatever directory the session stands in: an absolute path into another worktree is
that worktree's, a link is followed to what it points at. Paths outside of any wired checkout are nobody's business;
so are git's own files and ours (except for the probe).
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from coordination.engine.guard.paths import is_exempt, relative
from coordination.engine.guard.types import DELETE, Danger, ToolUse
from mcp_gateway.agent.repo import Checkout
from mcp_gateway.agent.settings import FOLDER, workplace

_WINDOWS = os.name == "nt"
_UNIX_DRIVE = re.compile(r"/([A-Za-z])(?=/|$)")


@dataclass(slots=True)
class Group:
    """What a call touches in one checkout. Paths are relative to its top, with `/`; one that ends in `/` is a folder.

    `start` is the directory that its settings are looked up from.
    """

    checkout: Checkout
    start: Path
    touches: dict[str, str] = field(default_factory=dict)
    dangers: list[Danger] = field(default_factory=list)

    @property
    def records(self) -> Path:
        """Where the runs of this checkout are recorded, and what its sessions remember: in the main worktree."""
        return self.checkout.main / FOLDER / "runs"


def groups(use: ToolUse) -> list[Group]:
    """The touches and dangers of a call by checkout, in reading order."""
    found = _Finder()
    for touch in use.touches:
        place = found.place(use.cwd, touch.path, gone=touch.action == DELETE)
        if place is not None and not is_exempt(place[1]):
            place[0].touches.setdefault(place[1], touch.action)
    for danger in use.dangers:
        for group, paths in found.endangered(use.cwd, danger):
            group.dangers.append(Danger(danger.verb, paths, danger.what))
    return [group for group in found.known.values() if group.touches or group.dangers]


def home(cwd: str) -> Group | None:
    """The checkout a session works in, None outside of any."""
    return _Finder().at(_absolute(cwd, ".") or "") if cwd else None


class _Finder:
    """Looks each directory up once."""

    def __init__(self) -> None:
        self.known: dict[tuple[Path, Path | None], Group] = {}
        self._places: dict[str, Group | None] = {}

    def at(self, folder: str) -> Group | None:
        """The checkout around a directory, None outside of any."""
        if not folder:
            return None
        if folder not in self._places:
            checkout, file = workplace(Path(folder))
            if checkout is None:
                self._places[folder] = None
            else:
                group = Group(checkout, Path(folder))
                self._places[folder] = self.known.setdefault((checkout.top, file), group)
        return self._places[folder]

    def endangered(self, cwd: str, danger: Danger) -> list[tuple[Group, tuple[str, ...]]]:
        """The checkouts that a git command acts on, each with the paths in it; none: all of the one it runs in."""
        if not danger.paths:
            group = self.at(_absolute(cwd, danger.where or ".") or "")
            return [(group, ())] if group is not None else []
        placed = [place for path in danger.paths if (place := self.place(cwd, path, gone=True)) is not None]
        groups = {id(group): group for group, _ in placed}
        return [(group, tuple(path for other, path in placed if other is group)) for group in groups.values()]

    def place(self, cwd: str, path: str, *, gone: bool) -> tuple[Group, str] | None:
        """The checkout and the path in it. A link that is taken away is the link, one that is written its target."""
        absolute = _absolute(cwd, path)
        if absolute is None:
            return None
        try:
            where, name = os.path.split(absolute.rstrip("/\\" if _WINDOWS else "/"))
            real = (
                os.path.join(os.path.realpath(where), name)
                if gone and name not in ("", ".", "..")
                else os.path.realpath(absolute)
            )
            folder = os.path.isdir(real) and not os.path.islink(real)
            group = self.at(real if folder else os.path.dirname(real))
        except (OSError, ValueError):
            return None
        found = relative(str(group.checkout.top), "", real, windows=_WINDOWS) if group else None
        if group is None or found is None:
            return None
        return group, found + "/" if (folder or path.endswith("/")) and found != "." else found


def _absolute(cwd: str, path: str) -> str | None:
    """A path as the tool wrote it, made absolute; links are not followed yet."""
    if "\0" in path:
        return None
    path = os.path.expanduser(path) if path.startswith("~/") else path
    cwd = cwd or os.getcwd()
    if _WINDOWS:
        path, cwd = (_UNIX_DRIVE.sub(r"\1:/", text, count=1) for text in (path, cwd))
    return os.path.join(cwd, path)


def unsendable(paths: Iterable[str]) -> list[str]:
    """Paths that cannot be named to the server: not UTF-8, or with control characters, or too long."""
    from mcp_gateway.agent.git import sendable

    return [path for path in paths if not sendable(path)]

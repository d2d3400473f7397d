"""What hook calls of one session remember from one to the next, in a small file beside the run's record.

Covered paths are remembered for as long as the server said (`cache_seconds`, some seconds), so that editing a file
again costs no round trip. Whatever may change whose ground it is drops them: a denial, a release, the session's end.
Losing the file costs a round trip, never a wrong answer.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_gateway.agent.files import make, write_private

if TYPE_CHECKING:
    from coordination.engine.guard.types import ToolUse
    from mcp_gateway.agent.hooks.targets import Group

SUFFIX = ".cache"
PENDING = ".offline"
MOST_SECONDS = 60  # however long the server says
_MOST_PATHS = 500
_MOST_BYTES = 100_000
_OLD = 24 * 3600.0


class Memory:
    """One session's file. Reading it never fails; writing it may silently come to nothing."""

    def __init__(self, folder: Path, client: str, session: str) -> None:
        name = hashlib.sha256(f"{client}\0{session}".encode()).hexdigest()[:24]
        self.folder = folder
        self.file = folder / (name + SUFFIX)
        self.pending = folder / (name + PENDING)
        self.said = _read(self.file)

    # --- covered paths ---

    def covers(self, paths: Iterable[str]) -> bool:
        """Whether each of these paths was found covered a moment ago, and no other copy of the session is about."""
        known, now = self._mapping("paths"), time.time()
        # A clock that was set back must not make an answer last.
        return not self.said.get("shared") and all(
            0 < float(known.get(path, 0)) - now <= MOST_SECONDS for path in paths
        )

    def cover(self, instance: str, paths: Iterable[str], seconds: float) -> None:
        """Remember these paths as this run's for so long."""
        now = time.time()
        kept = self._mapping("paths") if self.said.get("instance") == instance else {}
        kept = {path: until for path, until in kept.items() if float(until) > now}
        if seconds > 0:
            kept |= dict.fromkeys(paths, now + min(seconds, MOST_SECONDS))
        self.said |= {"instance": instance, "paths": dict(list(kept.items())[-_MOST_PATHS:])}

    def is_shared(self, shared: bool) -> None:
        """Whether two processes run this session: one of them may do nothing more, so every edit is asked about."""
        self.said["shared"] = shared

    def uncover(self) -> None:
        """Forget what was covered."""
        self.said["paths"] = {}

    # --- the server away ---

    @property
    def away(self) -> bool:
        """Whether the server did not answer a moment ago: asking again at every edit would cost its timeout."""
        return 0 < float(self.said.get("away", 0)) - time.time() <= MOST_SECONDS

    def is_away(self, seconds: float) -> None:
        """Do not ask for so long."""
        self.said["away"] = time.time() + seconds

    def is_back(self) -> None:
        """It answered."""
        self.said.pop("away", None)

    @property
    def offline(self) -> str:
        """The offline policy as the server last said it: `open` or `closed`; empty when it never did."""
        return str(self.said.get("offline", "")) or str(_read(self.folder / _LAST).get("offline", ""))

    def learn(self, policy: str, offline: str) -> None:
        """What the server said of the project's policies; also for a session that begins while it is away."""
        if (policy, offline) != (self.said.get("policy"), self.said.get("offline")):
            self.said |= {"policy": policy, "offline": offline}
            _write(self.folder / _LAST, {"policy": policy, "offline": offline})

    def note(self, paths: Iterable[str]) -> None:
        """Write down edits that were let through unjudged, to be told when the server is back."""
        with contextlib.suppress(OSError):
            make(self.folder)
            with self.pending.open("a", encoding="ascii") as file:
                if file.tell() < _MOST_BYTES:
                    file.write("".join(json.dumps(path) + "\n" for path in paths))

    def noted(self) -> list[str]:
        """Those edits, each path once."""
        try:
            lines = self.pending.read_text(encoding="ascii").splitlines()
            return list(dict.fromkeys(str(json.loads(line)) for line in lines))
        except (OSError, ValueError):
            return []

    def told(self) -> None:
        """They have been told."""
        with contextlib.suppress(OSError):
            self.pending.unlink(missing_ok=True)

    # --- the rest ---

    def save(self) -> None:
        """Write it down."""
        _write(self.file, self.said)

    def drop(self) -> None:
        """The session is over."""
        self.said = {}
        for file in (self.file, self.pending):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)

    def _mapping(self, name: str) -> dict[str, Any]:
        found = self.said.get(name)
        return found if isinstance(found, dict) else {}


_LAST = "last" + SUFFIX


def drop_covered(folder: Path) -> None:
    """Forget what any session of this checkout was found to cover: something was released."""
    for file in _files(folder):
        if file.name != _LAST and _read(file).get("paths"):
            _write(file, _read(file) | {"paths": {}})


def memory_of(client: str, use: "ToolUse", group: "Group") -> Memory:
    """What the calls of this session remember."""
    return Memory(group.records, client, use.session)


def prune(folder: Path) -> None:
    """Take away what sessions left that are long gone."""
    edge = time.time() - _OLD
    for file in _files(folder):
        with contextlib.suppress(OSError):
            if file.name != _LAST and file.stat().st_mtime < edge:
                file.unlink()


def _files(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.name.endswith((SUFFIX, PENDING))]
    return []


def _read(file: Path) -> dict[str, Any]:
    try:
        said = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _write(file: Path, said: Mapping[str, Any]) -> None:
    """So that a call beside this one reads the old or the new; where nothing can be written: nothing."""
    with contextlib.suppress(OSError):
        make(file.parent)
        write_private(file, json.dumps(said))

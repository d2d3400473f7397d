"""What is about to be written, as a whole: every file with its bytes before and after, then all of it or nothing."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcp_gateway.agent.wiring.edits import REFUSALS, Edit, UnfitError
from mcp_gateway.agent.wiring.texts import decode, read_bytes

SECRET = 0o600
SCRIPT = 0o755


class ChangedError(Exception):
    """A file was changed by somebody else between planning and writing; nothing was written."""


@dataclass(slots=True)
class File:
    """One file of a plan. ``before`` and ``after`` are None where there is no such file; ``mode`` is put on it."""

    path: Path
    before: bytes | None
    after: bytes | None
    mode: int | None = None
    whats: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything about it is to be written."""
        return self.before != self.after or (self.after is not None and self._wide())

    def _wide(self) -> bool:
        """Whether it may be read by others than the plan wants (or not be run)."""
        if self.mode is None or os.name == "nt" or self.before is None:
            return False
        has = self.path.stat().st_mode & 0o777
        return bool(has & ~SECRET) if self.mode == SECRET else not has & 0o100


@dataclass(frozen=True, slots=True)
class Move:
    """A file that gets another name in its folder; links are moved as links. ``covered``: what the target held."""

    source: Path
    target: Path
    covered: bytes | None = None


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a person must do, because a program must not."""

    path: Path
    why: str
    add: str


class Plan:
    """Files to write, moves that go before them, and what is left to a person."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """``roots``: the folders everything must stay in, links followed."""
        self._roots = [root.resolve() for root in roots]
        self.files: dict[Path, File] = {}
        self.moves: list[Move] = []
        self.by_hand: list[ByHand] = []

    def file(self, path: Path) -> File:
        """The file at a path, as planned so far. Links are followed within the roots. Raises UnfitError."""
        landing = path.resolve()
        self._inside(landing)
        folder = next(at for at in landing.parents if at.exists())
        if not folder.is_dir():
            raise UnfitError(f"{folder.name} is a file where a folder must be")
        if landing not in self.files:
            content = read_bytes(landing)
            self.files[landing] = File(landing, content, content)
        return self.files[landing]

    def put(self, top: Path, edit: Edit) -> None:
        """Plan an edit; one that is refused is left to a person."""
        path = top / edit.path
        try:
            found = self.file(path)
            text = decode(found.after or b"")
            changed = edit.put(text)
        except REFUSALS as error:
            self.by_hand.append(ByHand(path, str(error), edit.by_hand))
            return
        self._say(found, edit.what)
        if changed != text:
            found.after = changed.encode()

    def take(self, top: Path, edit: Edit) -> None:
        """Plan to take an edit out; a file that says nothing then goes."""
        path = top / edit.path
        try:
            found = self.file(path)
            if found.after is None:
                return
            text = decode(found.after)
            changed = edit.take(text)
            if changed == text:
                return
            found.after = None if edit.bare(changed) else changed.encode()
        except REFUSALS as error:
            self.by_hand.append(ByHand(path, str(error), f"take out what is ours: the {edit.what}"))
            return
        self._say(found, edit.what)

    def write(self, path: Path, content: bytes | None, what: str, mode: int | None = None) -> None:
        """Plan a whole file. Raises UnfitError."""
        found = self.file(path)
        found.after, found.mode = content, mode
        self._say(found, what)

    def fresh(self, path: Path, content: bytes, what: str, mode: int) -> None:
        """Plan a new file under a name that a planned move leaves free. Raises UnfitError."""
        self._inside(path.parent.resolve())
        self.files[path] = File(path, None, content, mode, [what])

    @property
    def changes(self) -> list[File]:
        """The files that differ from what is there."""
        return [found for found in self.files.values() if found.changed]

    def folders(self) -> list[Path]:
        """The folders that have to be made, outermost first."""
        wanted = {at for found in self.changes if found.after is not None for at in found.path.parents}
        return sorted((at for at in wanted if not at.exists()), key=lambda at: len(at.parts))

    def apply(self) -> None:
        """Write it all.

        Raises ChangedError before anything is written, OSError after everything was put back.
        """
        changes, sources = self.changes, {move.source for move in self.moves}
        for found in changes:
            if found.path not in sources and read_bytes(found.path) != found.before:
                raise ChangedError(f"{found.path} was changed meanwhile; nothing was written")
        with _Undo() as undo:
            for folder in self.folders():
                folder.mkdir()
                undo.made.append(folder)
            staged = [(found, _stage(found, undo)) for found in changes]
            for move in self.moves:
                os.replace(move.source, move.target)
                undo.moved(move)
            for found, temporary in staged:
                undo.wrote(found)
                if temporary is None:
                    found.path.unlink(missing_ok=True)
                else:
                    os.replace(temporary, found.path)

    def _inside(self, landing: Path) -> None:
        if not any(landing == root or root in landing.parents for root in self._roots):
            raise UnfitError("it is, or lies behind, a link that leads out of the repository")

    def _say(self, found: File, what: str) -> None:
        if what not in found.whats:
            found.whats.append(what)


def _stage(found: File, undo: _Undo) -> str | None:
    """The new content beside its place, on the disk, not yet seen under its name."""
    if found.after is None:
        return None
    handle, name = tempfile.mkstemp(dir=found.path.parent, prefix=".interlock-")
    undo.staged.append(name)
    with os.fdopen(handle, "wb") as stream:
        stream.write(found.after)
        stream.flush()
        os.fsync(stream.fileno())
    os.chmod(name, _mode(found))
    return name


def _mode(found: File) -> int:
    if found.mode is not None:
        return found.mode
    if found.before is not None:
        return found.path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


class _Undo:
    """Puts back what was written when something fails on the way; what was staged goes in any case."""

    def __init__(self) -> None:
        self.staged: list[str] = []
        self.made: list[Path] = []
        self._written: list[tuple[File, int]] = []
        self._moved: list[Move] = []

    def wrote(self, found: File) -> None:
        mode = found.path.stat().st_mode & 0o777 if found.path.exists() else SECRET
        self._written.append((found, mode))

    def moved(self, move: Move) -> None:
        self._moved.append(move)

    def __enter__(self) -> _Undo:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for found, mode in reversed(self._written):
                with contextlib.suppress(OSError):
                    if found.before is None:
                        found.path.unlink(missing_ok=True)
                    else:
                        found.path.write_bytes(found.before)
                        found.path.chmod(mode)
            for move in reversed(self._moved):
                with contextlib.suppress(OSError):
                    os.replace(move.target, move.source)
                    if move.covered is not None:
                        move.target.write_bytes(move.covered)
                        move.target.chmod(SCRIPT)
        for name in self.staged:
            with contextlib.suppress(OSError):
                os.unlink(name)
        if kind is not None:
            for folder in reversed(self.made):
                with contextlib.suppress(OSError):
                    folder.rmdir()

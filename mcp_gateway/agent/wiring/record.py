"""`.interlock/wiring.json`: what files held before they were wired, so that removal gives back their very bytes.

Kept beside the token, readable by its owner alone: files of others may hold secrets of theirs. A file that was changed
since is not put back from here: what is ours is taken out of it, and the rest stays as it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = "wiring.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: the digest of what was written, what was there before (None: no file), whether that is known."""

    wrote: str
    before: bytes | None
    known: bool


@dataclass(slots=True)
class Record:
    """Entries by absolute path, and the folders that were made."""

    entries: dict[str, Entry] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def original(self, path: Path, content: bytes | None) -> Entry | None:
        """The entry of a file, where its original is known and the file is as it was written."""
        entry = self.entries.get(str(path))
        if entry is None or content is None or not entry.known or entry.wrote != digest(content):
            return None
        return entry

    def note(self, path: Path, before: bytes | None, after: bytes | None) -> None:
        """A file was written. Where it had been changed since it was written last, its original is lost."""
        if after is None or after == before:
            return
        known = self.entries.get(str(path))
        if known is None:
            self.entries[str(path)] = Entry(digest(after), before, True)
        elif before is not None and known.wrote == digest(before):
            self.entries[str(path)] = Entry(digest(after), known.before, known.known)
        elif before is None:
            self.entries[str(path)] = Entry(digest(after), None, True)
        else:
            self.entries[str(path)] = Entry(digest(after), None, False)

    def dump(self) -> bytes:
        """As it is kept."""
        files = {
            path: {"wrote": entry.wrote, "known": entry.known, "before": _shown(entry.before)}
            for path, entry in sorted(self.entries.items())
        }
        return (json.dumps({"version": 1, "files": files, "folders": self.folders}, indent=1) + "\n").encode()


def digest(content: bytes) -> str:
    """The name of some content."""
    return hashlib.sha256(content).hexdigest()


def parse(content: bytes | None) -> Record:
    """The record that is kept; one that cannot be read knows nothing."""
    try:
        kept: dict[str, Any] = json.loads(content or b"{}")
        entries = {
            str(path): Entry(str(said["wrote"]), _read(said["before"]), bool(said["known"]))
            for path, said in kept.get("files", {}).items()
        }
        return Record(entries, [str(folder) for folder in kept.get("folders", [])])
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        return Record()


def _shown(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _read(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)

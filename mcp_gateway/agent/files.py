"""Files of ours in a checkout: private, put in place at once, and a lock among our own processes."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from mcp_gateway.agent.settings import FOLDER


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time works in a folder of ours; where nothing can be locked, all may."""
    try:
        make(folder)
        descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        yield
        return
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _lock(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)


def write_private(file: Path, text: str) -> None:
    """Put a file in place at once, readable by nobody else."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}.{time.monotonic_ns()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        os.replace(fresh, file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def make(folder: Path) -> None:
    """The folder, closed to others and unknown to git also in a checkout that was never wired."""
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = folder.parent / ".gitignore"
    if folder.parent.name == FOLDER and not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")

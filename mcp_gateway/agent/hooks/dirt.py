"""What changed in a checkout while a command ran that could not be read: found after the fact, by git.

Looking is bounded in time and output; a repository where it takes too long is left alone for a while. Only what
changed after the command began counts: what lay changed before, or was changed by somebody else before, is no news.
"""

import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from mcp_gateway.agent.git import environment, read_status, sendable, status_args

SECONDS = 2.0
MOST_BYTES = 400_000
MOST_PATHS = 500
# A file system may keep times only so finely.
_SLACK_NS = 2 * 10**9

State = tuple[int, int]
GONE: State = (0, -1)


def look(top: Path) -> dict[str, State] | None:
    """What is changed in a checkout, each path with when it last was and how large; None where it takes too long."""
    try:
        process = subprocess.Popen(
            ["git", *status_args()],
            cwd=top,
            env=environment(apart=True),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    with process:
        assert process.stdout is not None
        output = process.stdout.read(MOST_BYTES + 1)
        timed_out = not timer.is_alive()
        timer.cancel()
        if len(output) > MOST_BYTES:
            process.kill()
    if timed_out or (process.returncode and len(output) <= MOST_BYTES):
        return None
    return {path: _state(top, path) for path, _ in read_status(output) if sendable(path)}


def _state(top: Path, path: str) -> State:
    try:
        stat = os.lstat(top / path)
    except (OSError, ValueError):
        return GONE
    # On POSIX the inode's own time tells also what kept the old time of the content (`cp -p`, `mv`).
    changed = stat.st_mtime_ns if os.name == "nt" else max(stat.st_mtime_ns, stat.st_ctime_ns)
    return changed, stat.st_size


def changed(before: Mapping[str, State], now: Mapping[str, State], since_ns: int) -> list[str]:
    """The paths that changed since then."""
    return [
        path
        for path, state in now.items()
        if tuple(before.get(path, ())) != state and (state == GONE or state[0] >= since_ns - _SLACK_NS)
    ][:MOST_PATHS]

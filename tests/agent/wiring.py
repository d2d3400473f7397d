"""A repository that is wired by the command itself, with a path that holds nothing but what the test put there."""

import os
import sys
from pathlib import Path

from tests.agent.desk import COMMAND, Done, Session, environment, git

SYSTEM = os.pathsep.join(("/usr/bin", "/bin"))


def program(folder: Path, name: str, script: str) -> Path:
    """A program on the path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def bin_with_interlock(folder: Path) -> str:
    """A PATH with ``interlock`` and git, and no coding tool."""
    program(folder, "interlock", f'exec "{sys.executable}" -P -m mcp_gateway.agent "$@"')
    return f"{folder}{os.pathsep}{SYSTEM}"


def snapshot(top: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a repository, and git's hooks, with bytes and mode; links as what they point at."""
    found = {}
    for path in sorted(top.rglob("*")):
        name = path.relative_to(top).as_posix()
        if path.is_symlink():
            found[name] = (os.readlink(path).encode(), 0)
        elif path.is_file() and (not name.startswith(".git/") or name.startswith(".git/hooks/")):
            found[name] = (path.read_bytes(), path.stat().st_mode & 0o777)
    return found


def init(session: Session, *arguments: str, text: str = "", at: Path | None = None, **env: str) -> Done:
    """Run ``interlock init``; a crash fails the test."""
    done = session("init", *arguments, text=text, at=at, env=env)
    assert "Traceback" not in done.err, done.err
    return done


__all__ = ["COMMAND", "SYSTEM", "bin_with_interlock", "environment", "git", "init", "program", "snapshot"]

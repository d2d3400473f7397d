"""What can be seen without the server: the repository, the settings of this machine, the command itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mcp_gateway.agent import VERSION, git
from mcp_gateway.agent.doctor.base import STEP, Check, Desk, Verdict, fail, ok, warn
from mcp_gateway.agent.git import GitError
from mcp_gateway.agent.settings import FOLDER, NAMES, NotConfigured, is_placeholder, read
from mcp_gateway.agent.wiring import localenv

OLDEST = (3, 11)
_INIT = "interlock init"


def python(_: Desk) -> Verdict:
    """The interpreter this command runs in."""
    has = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        return fail(f"Python {has}", "install the command for Python 3.11 or later")
    return ok(f"{has}, interlock {VERSION}")


def repository(desk: Desk) -> Verdict:
    """Whether this is a git checkout."""
    checkout = desk.place[0]
    if checkout is None:
        return fail(f"{desk.cwd} is in no git repository", "go into the repository, or make one with `git init`")
    where = f", a linked worktree of {checkout.main}" if checkout.main != checkout.top else ""
    return ok(f"{checkout.top}{where}")


def config(desk: Desk) -> Verdict:
    """Whether settings are there and can be used."""
    file = desk.place[1]
    try:
        settings = desk.settings
    except NotConfigured as error:
        return fail(f"{error}{_placeholders(file)}", _INIT)
    return ok(f"{settings.team}/{settings.project}, {settings.file or 'from the environment'}")


def private(desk: Desk) -> Iterator[Verdict]:
    """Whether the token is for this user's eyes alone, and out of git."""
    file = desk.place[1]
    if file is None:
        yield ok("the token is in the environment")
        return
    mode = file.stat().st_mode & 0o777
    if os.name != "nt" and mode & 0o077:
        yield fail(f"{file} can be read by others ({mode:o})", f"chmod 600 {file}")
        return
    tracked = _git(desk, ["ls-files", "--", f":(top){FOLDER}"])
    if tracked:
        yield fail(
            f"git tracks {', '.join(tracked[:3])}",
            f"git rm -r --cached {FOLDER}, then revoke that token on the dashboard and run `{_INIT} --token -`",
        )
    elif not _ignored(desk, file):
        yield warn(f"git does not ignore {file}, so the next `git add .` takes the token along", f"{_INIT}")
    else:
        yield ok("its owner's alone, and ignored by git")


def command(desk: Desk) -> Verdict:
    """Whether tools find the command by its name, and git hooks by the interpreter that is written down."""
    found = shutil.which("interlock", path=desk.env.get("PATH"))
    kept = read(desk.place[1]).get(localenv.COMMAND, "") if desk.place[1] else ""
    if found is None:
        folder = Path(sys.executable).parent
        detail = "`interlock` is not on the PATH: tools start no hook and no MCP server"
        return fail(detail, f"install it with pipx, or put {folder} on the PATH of the shell that starts the tools")
    told = _said([found, "--version"], desk)
    if told != f"interlock {VERSION}":
        detail = f"{found} is {told or 'something else'}, this is interlock {VERSION}"
        return warn(detail, "install one version, and take the other off the PATH")
    if kept and not os.access(kept, os.X_OK):
        return warn(f"{localenv.COMMAND} names {kept}, which is gone", _INIT)
    return ok(found)


def worktree(desk: Desk) -> Verdict:
    """Whether anything here speaks of worktrees that are gone."""
    lines = _git(desk, ["worktree", "list", "--porcelain"])
    gone = [line for line in lines if line.startswith("prunable")]
    if gone:
        return warn(f"{len(gone)} worktrees are gone, git still lists them", "git worktree prune")
    count = sum(line.startswith("worktree ") for line in lines)
    return ok("the only one" if count == 1 else f"one of {count}, with the hooks and settings of {desk.checkout.main}")


def _placeholders(file: Path | None) -> str:
    said = read(file) if file else {}
    names = [name for name in NAMES if said.get(name) and is_placeholder(said[name])]
    return f" A placeholder stands for {', '.join(names)}." if names else ""


def _ignored(desk: Desk, file: Path) -> bool:
    try:
        return bool(git.run(["check-ignore", "--", str(file)], desk.checkout.main, apart=True, codes=1))
    except GitError:
        return False


def _git(desk: Desk, args: list[str]) -> list[str]:
    return os.fsdecode(git.run(args, desk.checkout.main, apart=True)).splitlines()


def _said(arguments: list[str], desk: Desk) -> str:
    try:
        done = subprocess.run(
            arguments, env=dict(desk.env), capture_output=True, timeout=min(STEP, desk.left), check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip()


CHECKS = [
    Check("python", "Python", python),
    Check("repository", "git repository", repository),
    Check("config", "settings", config),
    Check("private", "the token is kept private", private, ("repository", "config")),
    Check("command", "`interlock` on the PATH", command),
    Check("worktree", "worktrees", worktree, ("repository",)),
]

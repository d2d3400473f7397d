"""Which processes we descend from. A run is told by them: what a session starts is the session.

A process id alone is used again by the system; together with the time of its start it is not.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from enum import Enum

from mcp_gateway.agent.process import Process

_MOST = 64  # ancestors looked at


class Kind(Enum):
    """What an ancestor is to us."""

    AGENT = "agent"  # a program known to run agents
    TERMINAL = "terminal"  # what people's shells are started by; several sessions may share it
    SHELL = "shell"
    WRAPPER = "wrapper"  # runs something else on somebody's behalf, ourselves included
    OTHER = "other"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AGENTS = _names(
    "claude claude-code codex cursor-agent gemini gemini-cli qwen aider goose opencode crush amp droid copilot auggie "
    "openhands cline kiro-cli"
)
_SHELLS = _names("sh bash dash zsh ksh mksh fish tcsh csh ash busybox pwsh powershell cmd nu xonsh elvish")
_WRAPPERS = _names(
    "interlock env timeout gtimeout nice ionice nohup time setsid stdbuf xargs sudo doas su script unbuffer flock chrt "
    "taskset strace ltrace watch parallel find entr direnv mise asdf git make gmake just task npm npx pnpm yarn bun uv "
    "uvx pipx poetry pdm hatch pre-commit lefthook husky lint-staged tox nox cargo go ninja cmake tini dumb-init "
    "catatonit"
)
_TERMINALS = _names(
    "tmux screen zellij sshd sshd-session login getty agetty systemd init launchd alacritty kitty wezterm-gui ghostty "
    "foot konsole xterm urxvt xfce4-terminal terminator tilix iterm2 terminal windowsterminal openconsole conhost "
    "explorer wininit services svchost code cursor windsurf codium zed idea pycharm webstorm goland emacs vim nvim "
    "containerd-shim docker-init conmon cron crond launchd wsl init(ubuntu) relay"
)
_TERMINAL_STARTS = ("tmux", "gnome-terminal", "code helper", "cursor helper", "iterm", "containerd-shim", "sshd")


def ancestors(pid: int | None = None) -> list[Process]:
    """The processes that `pid` (default: this one) descends from, nearest first; empty where that cannot be told."""
    start = os.getpid() if pid is None else pid
    if sys.platform == "win32":
        from mcp_gateway.agent import windows

        return windows.ancestors(start, _MOST)
    if os.path.isdir(f"/proc/{start}"):
        return _from_proc(start)
    return _from_ps(start)


def alive(process: Process) -> bool:
    """Whether it still runs, as the same one."""
    if sys.platform == "win32":
        from mcp_gateway.agent import windows

        return windows.runs(process.pid) and windows.started(process.pid) == process.started
    if os.path.isdir(f"/proc/{os.getpid()}"):
        found = _read_stat(process.pid)
        return found is not None and found[1].started == process.started
    row = _ps().get(process.pid)
    return row is not None and row[1].started == process.started


def kind(process: Process) -> Kind:
    """What a process is, by its name."""
    name = process.name.lower().lstrip("-").removesuffix(".exe")
    if name in _AGENTS:
        return Kind.AGENT
    if name in _SHELLS:
        return Kind.SHELL
    if name in _WRAPPERS or name.startswith("git-"):
        return Kind.WRAPPER
    if name in _TERMINALS or name.startswith(_TERMINAL_STARTS):
        return Kind.TERMINAL
    return Kind.OTHER


def owner(chain: Iterable[Process]) -> Process | None:
    """The process that a session is: the nearest ancestor that is no shell and no wrapper.

    Where that is a terminal, the session is a person's: the outermost shell in it. None where nothing is known.
    """
    shell = None
    for process in chain:
        what = kind(process)
        if what in (Kind.AGENT, Kind.OTHER):
            return process
        if what is Kind.TERMINAL:
            return shell if shell or process.pid == 1 else process
        if what is Kind.SHELL:
            shell = process
    return shell


def client(chain: Iterable[Process]) -> Process | None:
    """The process that calls a hook: the nearest ancestor that is no shell and no wrapper, also one that hosts many."""
    return next((process for process in chain if kind(process) not in (Kind.SHELL, Kind.WRAPPER)), None)


def session(chain: Sequence[Process]) -> list[Process]:
    """The chain without what git started: whatever runs a hook (a hook manager, node) is no session of its own."""
    last = -1
    for at, process in enumerate(chain):
        if kind(process) is Kind.AGENT:
            break
        if process.name.lower().removesuffix(".exe") == "git":
            last = at
    return list(chain[last + 1 :])


def reachable(chain: Sequence[Process]) -> list[Process]:
    """The processes whose run is ours, nearest first.

    Up to the owner; beyond it only a known agent: a script that an agent started acts for the agent, yet two
    programs side by side under some third one are two sessions.
    """
    mine = owner(chain)
    if mine is None:
        return []
    at = chain.index(mine)
    found = list(chain[: at + 1])
    if kind(mine) is Kind.OTHER:
        found += [process for process in chain[at + 1 :] if kind(process) is Kind.AGENT][:1]
    return found


def _from_proc(start: int) -> list[Process]:
    found: list[Process] = []
    row = _read_stat(start)
    while row is not None and row[0] > 0 and len(found) < _MOST:
        row = _read_stat(row[0])
        if row is not None:
            found.append(row[1])
    return found


def _read_stat(pid: int) -> tuple[int, Process] | None:
    """(parent, process) from /proc (man 5 proc_pid_stat). The name may hold spaces and parentheses."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read().decode("utf-8", "replace")
    except OSError:
        return None
    name, fields = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
    if name.startswith("python") and _is_ours(pid):
        name = "interlock"
    return int(fields[1]), Process(pid, fields[19], name)


def _is_ours(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return _runs_us(file.read().decode("utf-8", "replace").split("\0"))
    except OSError:
        return False


def _runs_us(arguments: Sequence[str]) -> bool:
    """Whether an interpreter's command line is that of this command."""
    return "mcp_gateway.agent" in arguments[:4] or any(os.path.basename(a) == "interlock" for a in arguments[:4])


def _from_ps(start: int) -> list[Process]:
    rows = _ps()
    found: list[Process] = []
    at = start
    while at in rows and len(found) < _MOST:
        at = rows[at][0]
        if at in rows:
            found.append(rows[at][1])
    return found


def _ps() -> dict[int, tuple[int, Process]]:
    """Every process by id, from one call of `ps`; empty where there is none."""
    import subprocess

    command = ["ps", "-A", "-o", "pid=,ppid=,lstart=,comm="]
    try:
        listed = subprocess.run(
            command, env={"LC_ALL": "C", "PATH": "/bin:/usr/bin"}, capture_output=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_ps(listed.stdout.decode("utf-8", "replace"))


def parse_ps(text: str) -> dict[int, tuple[int, Process]]:
    """The table of `ps -o pid=,ppid=,lstart=,comm=`; a start is five words, a name may have spaces."""
    rows = {}
    for line in text.splitlines():
        words = line.split(None, 7)
        if len(words) == 8 and words[0].isdecimal() and words[1].isdecimal():
            name = os.path.basename(words[7].strip())
            rows[int(words[0])] = int(words[1]), Process(int(words[0]), " ".join(words[2:7]), name)
    return rows

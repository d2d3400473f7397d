"""The run that this session is, kept so that all its calls are the same one: hook, MCP, command and git.

A record is a file under `.interlock/runs/` of the main worktree. It belongs to a checkout, a credential and a
process; a session finds it because it descends from that process. Another session does not, so it never finds it.
`INTERLOCK_INSTANCE` goes before any record.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mcp_gateway.agent import files, processes
from mcp_gateway.agent.http import Client, Refused
from mcp_gateway.agent.output import EXIT_AWAY, UserError
from mcp_gateway.agent.process import Process
from mcp_gateway.agent.repo import Checkout, branch
from mcp_gateway.agent.settings import FOLDER, INSTANCE, Settings

_OLD = 24 * 3600.0  # seconds after which the record of a dead process goes
_MOST_RECORDS = 500
# What tools call their session in the environment of the commands they start.
_THREADS = (
    "CLAUDE_CODE_SESSION_ID",
    "CODEX_THREAD_ID",
    "CODEX_SESSION_ID",
    "CURSOR_CONVERSATION_ID",
    "GEMINI_SESSION_ID",
)


@dataclass
class Run:
    """One recorded run.

    Attributes:
        handle: what goes along as Interlock-Instance; it ends in the epoch.
        instance: the handle without its epoch.
        agent: empty where only the environment named the handle.
        tool: what registered it: claude-code, codex, shell, ...
        thread_id: the tool's own session id, or one made from the owner process.
        worktree: top of the checkout it works in; empty outside of any.
        owner: the process that the session is; None where processes cannot be told.
        policy, offline, probe: as the guard answered at the session's start; empty before.
        more: what else a door keeps between two calls.
    """

    handle: str
    instance: str
    agent: str = ""
    tool: str = ""
    thread_id: str = ""
    worktree: str = ""
    owner: Process | None = None
    policy: str = ""
    offline: str = ""
    probe: str = ""
    project: str = ""
    credential: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def find(
    settings: Settings,
    checkout: Checkout | None,
    env: Mapping[str, str] = os.environ,
    *,
    thread_id: str = "",
    hosted: bool = False,
) -> Run | None:
    """The run of this session, or None. Never another's: where several could be meant, none is.

    `thread_id` is the tool's own session id, where the caller knows it (a hook does): then only that one is meant.
    `hosted`: the caller is started by a client itself, as servers are, never by a person in a terminal.
    """
    named = env.get(INSTANCE, "").strip()
    known = _records(settings)
    if named:
        instance = named.partition(".")[0]
        same = next((run for run in known if run.instance == instance), None)
        if same is None:
            return Run(named, instance, worktree=worktree_of(checkout))
        same.handle = named
        return same
    found = _meant(known, checkout, env, thread_id, hosted=hosted or _by_an_editor(env))
    return found[0] if len(found) == 1 else None


def _meant(
    known: Sequence[Run], checkout: Checkout | None, env: Mapping[str, str], thread_id: str = "", *, hosted: bool
) -> list[Run]:
    """The runs that could be this session's: those of this worktree go before those of the repository's others.

    A session that steps into another worktree is still the same session.
    """
    chain = processes.session(processes.ancestors()) if known else []
    chosen = env.get("INTERLOCK_AGENT", "").strip()
    for runs in ([run for run in known if run.worktree == worktree_of(checkout)], known):
        if thread_id:
            found = _hosted([run for run in runs if run.thread_id == thread_id], chain)
        else:
            mine = [run for run in runs if not chosen or run.agent == chosen]
            found = _of(mine, chain)
            if not found and hosted:
                found = _hosted(mine, chain)
            found = _told(found, env)
        if found:
            return found
    return []


def _hosted(runs: Sequence[Run], chain: Sequence[Process]) -> list[Run]:
    """Those of the process that calls hooks and starts servers, be it an editor that hosts several sessions."""
    host = processes.client(chain)
    return [run for run in runs if (_same(run.owner, host) if run.owner and host else run.owner is host)]


def _by_an_editor(env: Mapping[str, str]) -> bool:
    """Whether an editor's agent runs this command, and not a person in the editor's terminal."""
    return bool(env.get("CURSOR_AGENT")) or env.get("CURSOR_EXTENSION_HOST_ROLE") == "agent-exec"


def _told(runs: list[Run], env: Mapping[str, str]) -> list[Run]:
    """Of several sessions in one process, the one that the tool names to what it starts.

    Asked for only then: a session that was started by another one may have inherited the other's name.
    """
    threads = {env.get(name, "").strip() for name in _THREADS} - {""}
    return [run for run in runs if run.thread_id in threads] or runs if len(runs) > 1 else runs


def rivals(settings: Settings, checkout: Checkout | None) -> list[Run]:
    """The runs that could be meant when `find` found none because there are several."""
    found = _meant(_records(settings), checkout, os.environ, hosted=_by_an_editor(os.environ))
    return found if len(found) > 1 else []


def beside(settings: Settings, thread_id: str) -> list[Run]:
    """The other sessions recorded for this very process: what it was before a `/clear`, or hosts besides."""
    others = [run for run in _records(settings) if run.thread_id != thread_id]
    return _hosted(others, processes.ancestors()) if others else []


def earlier(settings: Settings, thread_id: str) -> Run | None:
    """The latest record of a session, of whatever process: a session that is resumed in a new one is the same run."""
    return next((run for run in _records(settings) if run.thread_id == thread_id), None)


def _of(runs: Sequence[Run], chain: Sequence[Process]) -> list[Run]:
    """Those of the nearest process that has any."""
    if processes.owner(chain) is None:
        return [run for run in runs if run.owner is None]
    for process in processes.reachable(chain):
        found = [run for run in runs if run.owner is not None and _same(run.owner, process)]
        if processes.kind(process) is processes.Kind.TERMINAL:
            # What an editor starts by itself, such as git for a button, is its person's and not its agent's.
            found = [run for run in found if run.tool == "shell"]
        if found:
            return found
    return []


def _same(one: Process, other: Process) -> bool:
    return one.pid == other.pid and one.started == other.started


def record(settings: Settings, run: Run) -> None:
    """Write a run down, in the place of an earlier record of the same one. Where nothing can be written: nothing."""
    run.project = _project(settings)
    run.credential = _credential(settings)
    folder = folder_of(settings)
    with contextlib.suppress(OSError):
        files.make(folder)
        for known, file in _files(folder):
            same = known is not None and known.instance == run.instance and file.name != _name(run)
            if same and known is not None and not _another_copy(known, run):
                file.unlink(missing_ok=True)
        files.write_private(folder / _name(run), json.dumps(asdict(run)))
        _prune(folder)


def _another_copy(known: Run, run: Run) -> bool:
    """An older copy of a run that still works: it keeps its own handle, and is refused by it."""
    return known.owner is not None and known.owner != run.owner and processes.alive(known.owner)


def has_copies(settings: Settings, run: Run) -> bool:
    """Whether another process that still works has a record of the same run."""
    return any(known.instance == run.instance and _another_copy(known, run) for known in _records(settings))


def forget(settings: Settings, run: Run) -> None:
    """Take a run's record away; one that is not there is fine. Another copy's record is that one's."""
    for known, file in _files(folder_of(settings)):
        if known is not None and known.instance == run.instance and known.owner == run.owner:
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)


def ensure(settings: Settings, client: Client, checkout: Checkout | None, tool: str = "shell") -> Run:
    """The run of this session; where there is none it is registered under this session's process, and recorded.

    Raises UserError where several could be meant, and whatever the registration raises.
    """
    found = find(settings, checkout)
    if found is not None:
        return found
    with locked(settings):
        found = find(settings, checkout)  # another call of this session was quicker
        if found is not None:
            return found
        several = rivals(settings, checkout)
        if several and not os.environ.get("INTERLOCK_AGENT"):
            names = ", ".join(f"{run.handle} ({run.agent})" for run in several)
            raise UserError(f"Several runs of this process could be meant. Set {INSTANCE} to one of: {names}")
        run = register(settings, client, checkout, tool)
        record(settings, run)
        return run


def register(settings: Settings, client: Client, checkout: Checkout | None, tool: str) -> Run:
    """Register this session. The same process in the same checkout is the same run, also without its record."""
    owner = processes.owner(processes.session(processes.ancestors()))
    body = {
        "agent": agent_name(settings, client, checkout),
        "tool": tool,
        "thread_id": thread_of(owner, tool),
        "worktree": worktree_of(checkout),
        "host": host(),
        "branch": branch(checkout) if checkout else "",
        "repository": settings.repository,
    }
    answer = client.request("POST", "instances", {name: value for name, value in body.items() if value})
    if answer.refused:
        raise Refused(answer.body, answer.status, EXIT_AWAY)
    return from_instance(answer.body, body["thread_id"] or "", owner, worktree_of(checkout))


def from_instance(instance: Mapping[str, Any], thread_id: str, owner: Process | None, worktree: str) -> Run:
    """The record of what `POST instances`, `sync` or the guard answered as `instance`."""
    return Run(
        handle=str(instance["handle"]),
        instance=str(instance["id"]),
        agent=str(instance.get("agent", "")),
        tool=str(instance.get("tool", "")),
        thread_id=thread_id,
        worktree=worktree,
        owner=owner,
    )


def thread_of(owner: Process | None, tool: str) -> str:
    """A thread id for a session that has none of its own, from the process it is."""
    if owner is None:
        return f"{tool}:{host()}"
    return f"{tool}:{host()}:{owner.pid}:{owner.started}"[:200]


def agent_name(settings: Settings, client: Client | None, checkout: Checkout | None) -> str:
    """Who registers: INTERLOCK_AGENT or the settings, what the token is bound to, git's user.name, the login name."""
    if settings.agent:
        return settings.agent
    if client is not None:
        bound = client.request("GET", "/api/v1/me").body.get("agent")
        if bound:
            return str(bound)
    return slug(_git_name(checkout)) or slug(_login()) or "agent"


def slug(text: str) -> str:
    """A name in the form that agents' names have: letters, digits, dashes; empty where nothing is left."""
    import re
    import unicodedata

    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")


def _git_name(checkout: Checkout | None) -> str:
    import subprocess

    command = ["git", "config", "--get", "user.name"]
    try:
        told = subprocess.run(
            command, cwd=checkout.top if checkout else None, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.decode("utf-8", "replace").strip()


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def host() -> str:
    """This machine's name."""
    import socket

    return socket.gethostname()[:200]


def folder_of(settings: Settings) -> Path:
    """Where records are: in the main worktree, else beside the settings' file, else in the home directory."""
    if settings.root is not None:
        return settings.root / FOLDER / "runs"
    return (settings.file.parent if settings.file else Path.home() / FOLDER) / "runs"


@contextlib.contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """One process at a time registers a session of this checkout; where nothing can be locked, all may."""
    with files.locked(folder_of(settings)):
        yield


def _records(settings: Settings) -> list[Run]:
    """The runs of this project and credential, the latest written first."""
    project, credential = _project(settings), _credential(settings)
    known = [run for run, _ in _files(folder_of(settings)) if run is not None]
    return [run for run in known if run.project == project and run.credential == credential]


def _files(folder: Path) -> list[tuple[Run | None, Path]]:
    """Every record with its file, the latest written first; None for a file that is none."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        listed = [(e.stat().st_mtime, Path(e.path)) for e in entries if e.name.endswith(".json")]
        return [(_read(file), file) for _, file in sorted(listed, reverse=True)[:_MOST_RECORDS]]
    return []


def _read(file: Path) -> Run | None:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        owner = said.get("owner")
        said["owner"] = Process(int(owner["pid"]), str(owner["started"]), str(owner["name"])) if owner else None
        known = {each.name for each in fields(Run)}
        return Run(**{name: value for name, value in said.items() if name in known})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _prune(folder: Path) -> None:
    """Take away records of processes that are gone, once they are old, and files that are no records."""
    edge = time.time() - _OLD
    for run, file in _files(folder):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < edge and (run is None or run.owner is None or not processes.alive(run.owner)):
                file.unlink()


def _name(run: Run) -> str:
    who = (run.owner.pid, run.owner.started) if run.owner else ("", "")
    parts = (run.project, run.credential, run.worktree, *map(str, who), run.agent, run.thread_id)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24] + ".json"


def worktree_of(checkout: Checkout | None) -> str:
    """The top of a checkout as runs are registered with it; empty outside of any."""
    return str(checkout.top) if checkout else ""


def _project(settings: Settings) -> str:
    return f"{settings.url} {settings.team}/{settings.project}"


def _credential(settings: Settings) -> str:
    """What tells one token's runs from another's: a handle works with the token that registered it only."""
    return hashlib.sha256(settings.token.encode()).hexdigest()[:16]

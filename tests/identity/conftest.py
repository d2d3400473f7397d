"""A repository with git's hooks, a server, processes that sessions are, and who acted according to the ledger."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from mcp_gateway.agent.wiring.githooks import NAMES, script
from tests.agent.gitting import Repo
from tests.agent.working import Done, Session, Worker, wire
from tests.client import Api
from tests.making import Place
from tests.web import Web


@pytest.fixture
def repo(tmp_path: Path, place: Place, web: Web) -> Repo:
    """A checkout, wired, on a branch of its own."""
    made = wire(Repo.make(tmp_path / "app"), place, web.url)
    made.commit("First.", a="a\n", b="b\n")
    for name in NAMES:
        made.write(f".git/hooks/{name}", script(name)).chmod(0o755)
    return made


@pytest.fixture
def process(repo: Repo, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Starts processes; they end with the test."""
    started: list[Worker] = []

    def start(name: str = "claude", cwd: Path | None = None, **env: str) -> Worker:
        worker = Worker(name, cwd or repo.path, tmp_path / "bin", env)
        started.append(worker)
        return worker.__enter__()

    yield start
    for worker in started:
        worker.__exit__()


class Ledger:
    """Who did what, as the server has it."""

    def __init__(self, alice: Api) -> None:
        self._alice = alice
        self._names = (f"path-{number}" for number in count())

    def name(self) -> str:
        """A path nobody has touched yet."""
        return next(self._names)

    def granted_to(self, path: str) -> str:
        """The run that was granted a path."""
        until = time.monotonic() + 20
        while time.monotonic() < until:  # the ledger is read up to where no event can come in between any more
            events = self._alice.get("P/events", params={"limit": 200}).json()["items"]
            found = [
                event["actor"]["instance"]
                for event in events
                if event["type"] == "claim.granted"
                for scope in event["data"]["scopes"]
                if scope["pattern"].removeprefix("file:") == path
            ]
            if found:
                return str(found[-1])
            time.sleep(0.02)
        raise AssertionError(f"nobody was granted {path}")

    def by_command(self, worker: Worker, cwd: Path | None = None, **env: str) -> str:
        """The run that a command acts for."""
        path = self.name()
        worker.interlock("claim", path, check=0, cwd=cwd, **env)
        return self.granted_to(path)

    def by_mcp(self, worker: Worker, **arguments: object) -> str:
        """The run that a tool acts for."""
        path = self.name()
        worker.mcp("claim", paths=[path], **arguments)
        return self.granted_to(path)

    def by_hook(self, session: Session, cwd: Path | None = None) -> str:
        """The run that an edit is judged for."""
        path = self.name()
        where = {"cwd": cwd} if cwd else {}
        done = session.edit(path, **where) if session.client == "claude-code" else write(session, path, **where)
        assert done.code == 0, done
        return self.granted_to(path)

    def by_git(self, worker: Worker, cwd: Path | None = None, **env: str) -> str:
        """The run that a commit is made by; empty for a person's."""
        worker.run("git", "commit", "-q", "--allow-empty", "-m", "Nothing.", check=0, cwd=cwd, **env)
        asked = "%(trailers:key=Agent-Instance,valueonly)"
        return worker.run("git", "log", "-1", f"--format={asked}", check=0, cwd=cwd).out.strip()

    def by_all(self, session: Session, cwd: Path | None = None, **env: str) -> set[str]:
        """The runs behind every door of a session."""
        worker = session.worker
        return {
            self.by_hook(session, cwd),
            self.by_command(worker, cwd, **env),
            self.by_mcp(worker),
            self.by_git(worker, cwd, **env),
        }


def write(session: Session, path: str, cwd: Path | None = None) -> Done:
    """An edit in the words of other clients than Claude Code."""
    absolute = str((cwd or session.worker.cwd) / path)
    if session.client == "codex":
        patch = f"*** Begin Patch\n*** Add File: {absolute}\n+x\n*** End Patch"
        return session.hook("PreToolUse", tool_name="apply_patch", tool_input={"command": patch})
    if session.client == "gemini":
        fields = {"file_path": absolute, "content": "x"}
        return session.hook("BeforeTool", tool_name="write_file", tool_input=fields)
    fields = {"file_path": absolute, "contents": "x"}
    roots = {"conversation_id": session.id, "workspace_roots": [str(session.worker.cwd)]}
    return session.hook("preToolUse", tool_name="Write", tool_input=fields, **roots)


@pytest.fixture
def ledger(alice: Api) -> Ledger:
    """Who did what."""
    return Ledger(alice)

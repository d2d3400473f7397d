"""Agents at work: processes that start `interlock` as the tools do, in real checkouts, against a real server."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.agent.gitting import Repo, environment
from tests.making import Place

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "mcp_gateway.agent"]

# Runs what it is told to, as its children; one JSON object a line.
_LOOP = """
import json, subprocess, sys
for line in sys.stdin:
    job = json.loads(line)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(job["argv"], cwd=job["cwd"], env=job["env"], **pipes) as process:
        told = b""
        if job["answers"]:  # its input stays open until it has said so many lines
            process.stdin.write(job["stdin"].encode())
            process.stdin.flush()
            told = b"".join(process.stdout.readline() for _ in range(job["answers"]))
        out, err = process.communicate(b"" if job["answers"] else job["stdin"].encode())
    out, err = (told + out).decode("utf-8", "replace"), err.decode("utf-8", "replace")
    print(json.dumps({"code": process.returncode, "out": out, "err": err}), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer, where it is JSON."""
        return json.loads(self.out)

    @property
    def context(self) -> str:
        """What a client's model is told."""
        return str(self.json["hookSpecificOutput"]["additionalContext"]) if self.out.strip() else ""


def child_environment(**more: str) -> dict[str, str]:
    """The environment of what runs in a checkout: nothing of ours, nothing that binds git."""
    kept = {
        name: value for name, value in environment().items() if not name.startswith(("INTERLOCK_", "CLAUDE", "CODEX"))
    }
    folder = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    return kept | {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"} | more


def wire(repo: Repo, place: Place, url: str, token: str | None = None, **more: str) -> Repo:
    """Settings in a checkout, as `interlock init` leaves them."""
    said = {
        "INTERLOCK_URL": url,
        "INTERLOCK_TOKEN": token or place.token(),
        "INTERLOCK_PROJECT": f"{place.slug}/{place.project}",
        "INTERLOCK_COMMAND": sys.executable,
    } | more
    repo.write(".interlock/local.env", "".join(f"{name}={value}\n" for name, value in said.items()))
    repo.write(".git/info/exclude", ".interlock/\n")
    return repo


@dataclass
class Worker:
    """A process that a session is: what it starts descends from it, by way of a shell as clients do it."""

    name: str
    cwd: Path
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> "Worker":
        self.folder.mkdir(parents=True, exist_ok=True)
        program = self.folder / self.name
        if not program.exists():
            program.symlink_to(os.path.realpath(sys.executable))
        self.process = subprocess.Popen(
            [str(program), "-c", _LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environment()
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def run(
        self,
        *argv: str,
        stdin: str = "",
        cwd: Path | None = None,
        check: int | None = None,
        answers: int = 0,
        **env: str,
    ) -> Done:
        """Run a command. With `answers` its input is closed after it has printed so many lines."""
        assert self.process.stdin is not None and self.process.stdout is not None
        job = {
            "argv": argv,
            "cwd": str(cwd or self.cwd),
            "env": child_environment(**self.env, **env),
            "stdin": stdin,
            "answers": answers,
        }
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.process.stdin.flush()
        done = Done(**json.loads(self.process.stdout.readline()))
        assert check is None or done.code == check, done
        return done

    def shell(self, line: str, *, cwd: Path | None = None, **env: str) -> Done:
        """Run a line in a shell."""
        return self.run("sh", "-c", line, cwd=cwd, **env)

    def interlock(self, *args: str, cwd: Path | None = None, check: int | None = None, **env: str) -> Done:
        """The command, started by a shell."""
        return self.run("sh", "-c", '"$@"', "sh", *COMMAND, *args, cwd=cwd, check=check, **env)

    def mcp(self, tool: str, *, cwd: Path | None = None, **arguments: Any) -> Any:
        """What a tool answers over a bridge that this process starts, as its client would."""
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": self.name, "version": "1"}}
        messages = [
            {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}},
        ]
        lines = "".join(json.dumps(message) + "\n" for message in messages)
        done = self.run(*COMMAND, "mcp", stdin=lines, answers=2, cwd=cwd)
        told = {line["id"]: line for line in map(json.loads, done.out.splitlines())}
        assert "result" in told[1], told
        return told[1]["result"]["structuredContent"]


@dataclass
class Session:
    """A session of a client in a worker: its hooks carry the session's id."""

    worker: Worker
    id: str
    client: str = "claude-code"

    def hook(self, event: str, *, cwd: Path | None = None, name: str = "", **fields: Any) -> Done:
        """One hook call with a payload of the client's."""
        payload = {"session_id": self.id, "hook_event_name": event, "cwd": str(cwd or self.worker.cwd)} | fields
        line = " ".join(f"'{part}'" for part in [*COMMAND, "hook", self.client, *filter(None, [name])])
        return self.worker.run("sh", "-c", line, stdin=json.dumps(payload), cwd=cwd)

    def start(self, source: str = "startup", **more: Any) -> Done:
        """The session begins."""
        return self.hook("SessionStart", source=source, **more)

    def end(self, reason: str = "other", **more: Any) -> Done:
        """The session ends."""
        return self.hook("SessionEnd", reason=reason, **more)

    def edit(self, path: str | Path, **more: Any) -> Done:
        """The client is about to edit a file."""
        absolute = str((more.get("cwd") or self.worker.cwd) / path)
        return self.hook("PreToolUse", tool_name="Edit", tool_input={"file_path": absolute, "new_string": "x"}, **more)

    def about_to_run(self, command: str, **more: Any) -> Done:
        """The client is about to run a command."""
        return self.hook("PreToolUse", tool_name="Bash", tool_input={"command": command}, **more)

    def has_run(self, command: str, **more: Any) -> Done:
        """The client has run a command."""
        return self.hook("PostToolUse", tool_name="Bash", tool_input={"command": command}, tool_response={}, **more)

    def prompt(self, **more: Any) -> Done:
        """A person says something."""
        return self.hook("UserPromptSubmit", prompt="go on", **more)


def refused(done: Done) -> str:
    """The reason of a refusal; fails for anything else."""
    assert done.code == 2, done
    said = done.json["hookSpecificOutput"]
    assert said["permissionDecision"] == "deny"
    assert said["permissionDecisionReason"] == done.err.strip()
    return str(said["permissionDecisionReason"])


def allowed(done: Done) -> str:
    """The context of what was let through; fails for anything else."""
    assert done.code == 0, done
    assert "permissionDecision" not in done.out
    return done.context

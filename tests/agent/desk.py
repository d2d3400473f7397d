"""A developer's desk: a real git repository wired to a real server, and sessions that are processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "mcp_gateway.agent")
# A session: a program that runs what it is told, as an agent does. Its name is that of an unknown program.
_SESSION = """
import json, subprocess, sys
for line in sys.stdin:
    asked = json.loads(line)
    done = subprocess.run(asked["command"], cwd=asked["cwd"], env=asked["env"], input=asked["input"],
                          capture_output=True, text=True, timeout=120)
    print(json.dumps([done.returncode, done.stdout, done.stderr]), flush=True)
"""


class Done(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its answer to `--json`."""
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """An environment without anybody's settings of git or of Interlock."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "INTERLOCK_", "XDG_", "DJANGO")) and not name.lower().endswith("_proxy")
    }
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return clean | alone | more


def git(*arguments: str, at: Path) -> str:
    """Run git, as nobody in particular."""
    command = ["git", "-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.com", *arguments]
    return subprocess.run(command, cwd=at, env=environment(), capture_output=True, text=True, check=True).stdout.strip()


def repository(folder: Path, *files: str) -> Path:
    """A repository with a commit of some files on branch main."""
    folder.mkdir(parents=True, exist_ok=True)
    git("init", "--quiet", "--initial-branch", "main", at=folder)
    git("config", "user.name", "Ada Lovelace", at=folder)
    git("config", "user.email", "ada@example.com", at=folder)
    for name in files or ("README.md", "src/auth/login.py", "src/api/users.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    git("add", ".", at=folder)
    git("commit", "--quiet", "--message", "First.", at=folder)
    return folder


def wire(folder: Path, url: str, token: str, project: str, **more: str) -> Path:
    """Write the settings of a checkout, as `interlock init` does."""
    file = folder / ".interlock" / "local.env"
    file.parent.mkdir(exist_ok=True)
    said = {"INTERLOCK_URL": url, "INTERLOCK_TOKEN": token, "INTERLOCK_PROJECT": project} | more
    file.write_text("".join(f"{name}={value}\n" for name, value in said.items()))
    file.chmod(0o600)
    return file


class Session:
    """A process that starts commands: what an agent is to them."""

    def __init__(self, cwd: Path, command: Sequence[str] = COMMAND, **env: str) -> None:
        self.cwd = cwd
        self.command = tuple(command)
        self.env = environment(**env)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SESSION], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.env
        )

    def __call__(
        self, *arguments: str, at: Path | None = None, text: str = "", env: Mapping[str, str] | None = None
    ) -> Done:
        """Run `interlock` with these arguments."""
        return self.run([*self.command, *arguments], at=at, text=text, env=env)

    def run(
        self, command: Sequence[str], *, at: Path | None = None, text: str = "", env: Mapping[str, str] | None = None
    ) -> Done:
        """Run any command."""
        asked = {"command": list(command), "cwd": str(at or self.cwd), "input": text, "env": self.env | dict(env or {})}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return Done(*json.loads(self.process.stdout.readline()))

    def start(self, *arguments: str, at: Path | None = None) -> "subprocess.Popen[str]":
        """Start a command that goes on beside the test; its parent is the test itself."""
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=at or self.cwd,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> None:
        """The session is over, as when its window is closed."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)
        if self.process.stdout is not None:
            self.process.stdout.close()

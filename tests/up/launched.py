"""Runs `python3 manage.py up` for tests, and talks to it."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from deploy.embedded import process
from deploy.testing import ROOT

_NOT_FOR_UP = (
    "DATABASE_URL",
    "MIGRATE_DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "BASE_URL",
    "INTERLOCK_DATA_DIR",
    "INTERLOCK_DATABASE_ROLE",
)
_STOP_SECONDS = 60


def environment(**more: str) -> dict[str, str]:
    """The environment without what leads to the suite's own services; the suite's Python is used as it is."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_UP}
    return kept | {"INTERLOCK_NO_VENV": "1"} | more


def manage(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Runs a `manage.py` command to its end."""
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    # From elsewhere: nothing may depend on the working directory.
    return subprocess.run(
        command, cwd="/", env=environment(**more), capture_output=True, text=True, timeout=120, check=False
    )


class Up:
    """One `up --json` on a data directory; ``told`` is its first line."""

    def __init__(self, data: Path, *, prefix: list[str] | None = None, arguments: tuple[str, ...] = (), **more: str):
        self.data = data
        self._errors = data.with_name(f"{data.name}.{uuid.uuid4().hex[:6]}.err")
        command = [*(prefix or []), sys.executable, str(ROOT / "manage.py"), "up", "--json", "--port", "0"]
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, "--data", str(data), *arguments],
                cwd="/",
                env=environment(**more),
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                preexec_fn=process.dies_with_parent(signal.SIGTERM),
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()  # ends when it tells something, and when it fails
        if not line:
            raise AssertionError(f"up ended with {self.stop()}:\n{self.errors()}")
        self.told: dict[str, Any] = json.loads(line)

    def errors(self) -> str:
        """What it said on standard error so far."""
        return self._errors.read_text()

    def children(self) -> dict[str, int]:
        """Process ids of its children, by name."""
        names = {
            "postgres": "postgres",
            "valkey": "redis",
            "daphne": "web",
            "uvicorn": "web",
            "worker": "worker",
            "beat": "beat",
        }
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found: dict[str, int] = {}
        for pid in map(int, listed):
            words = " ".join(process.command_line(pid)).replace("-", " ").replace("/", " ").split()
            found |= {name: pid for word, name in names.items() if word in words}
        return found

    def answers(self) -> bool:
        """Whether `/readyz` says that everything works."""
        try:
            with urllib.request.urlopen(f"{self.told['url']}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Asks for a clean stop; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(_STOP_SECONDS)


def left_of(data: Path) -> list[str]:
    """Command lines of living processes that work on a data directory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        words = process.command_line(int(folder.name))
        try:
            surroundings = (folder / "environ").read_bytes().decode(errors="replace")
        except OSError:
            surroundings = ""
        if words and (any(str(data) in word for word in words) or f"INTERLOCK_DATA_DIR={data}\0" in surroundings):
            found.append(" ".join(words))
    return found


def all_gone(data: Path) -> bool:
    """Waits until nothing works on a data directory any more."""
    return process.wait_until(lambda: not left_of(data), _STOP_SECONDS)

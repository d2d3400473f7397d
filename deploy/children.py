"""The processes of `manage.py up` besides the services: web, worker, beat, and the steps before them."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from deploy.embedded import process as processes
from deploy.supervisor import Child

ROOT = Path(__file__).resolve().parent.parent
_OWNER_ONLY = ("MIGRATE_DATABASE_URL", "MIGRATE_DATABASE_URL_FILE", "INTERLOCK_DATABASE_ROLE")


class Children:
    """Makes the children of one ``up``: one environment, one log directory."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self._environment = environment
        self._logs = logs

    def web(self, listener: socket.socket, count: int) -> list[Child]:
        """Web processes that share one listening socket: a restart of one refuses nobody a connection."""
        names = ["web"] if count == 1 else [f"web-{number}" for number in range(1, count + 1)]
        return [self._child(name, _web_server(listener.fileno()), listener.fileno()) for name in names]

    def worker(self) -> Child:
        """The Celery worker."""
        options = ["--without-mingle", "--without-gossip", "-c", "1", "-l", "warning"]
        return self._child("worker", ["-m", "celery", "-A", "deploy.celery", "worker", *options])

    def beat(self, directory: Path) -> Child:
        """Celery's clock; ``directory`` keeps its schedule."""
        directory.mkdir(exist_ok=True)
        options = ["--schedule", str(directory / "schedule"), "--pidfile=", "-l", "warning"]
        return self._child("beat", ["-m", "celery", "-A", "deploy.celery", "beat", *options])

    def step(self, name: str, arguments: list[str], output: int, **more: str) -> "subprocess.Popen[bytes]":
        """Starts a Django command that runs once, with the owner's way to the database at hand.

        ``output`` is the descriptor of its standard output; the rest goes to ``name``'s log. ``more`` adds
        to the environment.
        """
        environment = self._environment | {"INTERLOCK_PROCESS": f"interlock-{name}"} | more
        return self._spawn(name, ["-m", "django", *arguments], environment, stdout=output)

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._logs / f"{name}.log"

    def _child(self, name: str, arguments: list[str], *descriptors: int) -> Child:
        # Serving processes never see the owner's password: what breaks into them cannot change the schema.
        environment = {key: value for key, value in self._environment.items() if key not in _OWNER_ONLY}
        environment["INTERLOCK_PROCESS"] = f"interlock-{name}"
        return Child(
            name,
            spawn=lambda: self._spawn(name, arguments, environment, descriptors=descriptors),
            explain=lambda: processes.tail(self.log(name)),
        )

    def _spawn(
        self,
        name: str,
        arguments: list[str],
        environment: dict[str, str],
        *,
        stdout: int | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> "subprocess.Popen[bytes]":
        output = processes.open_log(self.log(name))
        try:
            return subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops us in order
                pass_fds=descriptors,
                preexec_fn=processes.dies_with_parent(signal.SIGKILL),  # noqa: PLW1509 - no threads here
            )
        finally:
            os.close(output)


def child_environment(base: dict[str, str], own: dict[str, str]) -> dict[str, str]:
    """The environment of all children: the caller's, with ``own`` over it."""
    return base | {"DJANGO_SETTINGS_MODULE": "deploy.settings", "C_FORCE_ROOT": "1", "PYTHONUNBUFFERED": "1"} | own


def _web_server(descriptor: int) -> list[str]:
    """Its command line; why uvicorn is the default: docs/adr/0014."""
    if os.environ.get("INTERLOCK_WEB_SERVER", "uvicorn") == "daphne":
        return ["-m", "daphne", "--fd", str(descriptor), "-v", "0", "deploy.asgi:application"]
    options = {
        "--fd": str(descriptor),
        "--log-level": "warning",
        "--lifespan": "off",
        # Streams and waits never end by themselves: they get this long, then they are cancelled.
        "--timeout-graceful-shutdown": "3",
        # Agents think between calls; a new connection for each would cost both sides.
        "--timeout-keep-alive": "75",
    }
    flags = [word for option in options.items() for word in option]
    return ["-m", "uvicorn", "deploy.asgi:application", "--no-access-log", "--no-server-header", *flags]

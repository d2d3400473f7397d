"""One run of everything under `manage.py up`: services, schema, first team, processes, until a stop."""

import argparse
import contextlib
import http.client
import json
import os
import secrets
import socket
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.children import Children, child_environment
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import ServiceError, Stopped, secret_file, tail, write_secret
from deploy.embedded.redis import Redis
from deploy.running import DataLock, forget_services, note_services
from deploy.supervisor import Child, Supervisor
from deploy.telling import Progress, given, show
from deploy.version import WHEEL_PATH

_STARTS = 3  # a process that died that often before the platform was up will not live
_READY_SECONDS = 120.0


class Stack:
    """Starts everything in order, tells where it is, and stays until a stop is asked for."""

    def __init__(
        self,
        options: argparse.Namespace,
        directory: Path,
        listener: socket.socket,
        lock: DataLock,
        say: Progress,
    ) -> None:
        self._options = options
        self._directory = directory
        self._listener = listener
        self._lock = lock
        self._say = say
        self._logs = directory / "logs"
        self._supervisor = Supervisor(say)
        host, port = listener.getsockname()
        self._near = ("127.0.0.1" if host == "0.0.0.0" else host, port)  # noqa: S104 - compared, not bound
        self._url = (given("BASE_URL") or "http://{}:{}".format(*self._near)).rstrip("/")
        self._embedded = not given("DATABASE_URL")

    def run(self) -> None:
        """Blocks. Raises Stopped after a clean stop, and ServiceError when something does not start."""
        self._supervisor.listen_for_signals()
        found: dict[str, str] = {}
        try:
            children = Children(self._start_services(), self._logs)
            found = self._prepare(children)
            self._keep(found)  # before anything else can fail: the secrets are told only once
            self._start_processes(children)
            self._lock.note(url=self._url)
            show(found, self._directory, as_json=self._options.json, embedded=self._embedded)
            self._supervisor.watch()
        except ServiceError:
            if not self._embedded and "admin_password" in found:
                self._say(f"the first team was created nevertheless, keep its credentials: {json.dumps(found)}")
            raise
        except Stopped:
            self._say("stopping")
            raise
        finally:
            forget_services(self._directory)
            self._supervisor.stop()

    def _start_services(self) -> dict[str, str]:
        """Starts what the environment does not name; returns the environment of the children."""
        own = {
            "DATABASE_URL": given("DATABASE_URL"),
            "MIGRATE_DATABASE_URL": given("MIGRATE_DATABASE_URL"),
            "REDIS_URL": given("REDIS_URL"),
            "INTERLOCK_DATA_DIR": str(self._directory),
            "BASE_URL": self._url,
        }
        if not own["DATABASE_URL"]:
            postgres = Postgres(self._directory / "postgres", log=self._logs / "postgres.log", say=self._say)
            self._adopt(postgres)
            own["DATABASE_URL"] = postgres.database_url
            own["MIGRATE_DATABASE_URL"] = postgres.migrate_database_url
            self._say(f"PostgreSQL is ready on 127.0.0.1:{postgres.port}")
        if not own["REDIS_URL"]:
            redis = Redis(self._directory / "redis", log=self._logs / "redis.log", say=self._say)
            self._adopt(redis)
            own["REDIS_URL"] = redis.redis_url
            self._say(f"Redis is ready on 127.0.0.1:{redis.port}")
        key = given("SECRET_KEY") or secret_file(self._directory / "secret_key", lambda: secrets.token_urlsafe(50))
        own["SECRET_KEY"] = key
        note_services(self._directory, own)
        return child_environment(dict(os.environ), own)

    def _adopt(self, service: Postgres | Redis) -> None:
        server = service.start(self._supervisor.check)
        self._supervisor.adopt(
            Child(service.name, service.spawn, explain=lambda: tail(service.log), stop=service.stop), server
        )

    def _prepare(self, children: Children) -> dict[str, str]:
        """Schema and first team; returns what ``show`` tells."""
        self._step(children, "migrate", ["migrate", "--noinput"], INTERLOCK_DATABASE_ROLE="owner")
        self._say("the database schema is up to date")
        answer = self._step(children, "bootstrap", ["bootstrap_team", "--json"])
        try:
            made: dict[str, Any] = json.loads(answer.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise ServiceError(f"bootstrap_team answered no JSON but: {answer[:500]!r}") from None
        if made.pop("created"):
            self._say(f"created the team {made['team']} with project {made['project']}")
        made["url"] = self._url
        made["mcp_url"] = f"{self._url}/mcp/{made['team']}/{made['project']}"
        made["wheel_url"] = f"{self._url}{WHEEL_PATH}"
        order = ("url", "team", "project", "admin_email", "admin_password", "agent_token", "mcp_url", "wheel_url")
        return {name: made[name] for name in order if made.get(name)}

    def _step(self, children: Children, name: str, arguments: list[str], **more: str) -> str:
        """Runs one command to its end, while looking after the services; returns its output."""
        with tempfile.TemporaryFile() as output:
            process = children.step(name, arguments, output.fileno(), **more)
            try:
                self._supervisor.watch(lambda: process.poll() is not None, nap=0.02, most_deaths=_STARTS)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            output.seek(0)
            text = output.read().decode(errors="replace")
        if process.returncode:
            raise ServiceError(
                f"`manage.py {' '.join(arguments)}` failed:\n{text[-2000:]}{tail(children.log(name))}\n"
                f"Mend what it names; the whole text is in {children.log(name)}."
            )
        return text

    def _start_processes(self, children: Children) -> None:
        for child in children.web(self._listener, self._options.web_processes):
            self._supervisor.start(child)
        self._supervisor.start(children.worker())
        self._supervisor.start(children.beat(self._directory / "beat"))
        readiness = _Readiness(self._near, urlsplit(self._url).netloc)
        self._supervisor.watch(readiness.reached, nap=0.1, most_deaths=_STARTS)
        self._say(f"web answers at {self._url}")

    def _keep(self, found: dict[str, str]) -> None:
        """Keeps the first credentials beside the embedded data; a later start only updates the addresses."""
        if not self._embedded:
            return
        path = self._directory / "credentials.json"
        kept: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(path.read_text())
        write_secret(path, json.dumps(kept | found, indent=2) + "\n")


class _Readiness:
    """Asks the web processes whether everything behind them works, too."""

    def __init__(self, address: tuple[str, int], name: str) -> None:
        self._address = address
        self._name = name
        self._deadline = time.monotonic() + _READY_SECONDS
        self._answer = "nothing yet"

    def reached(self) -> bool:
        """Whether ``/readyz`` says yes. Raises ServiceError with its last answer when that takes too long."""
        connection = http.client.HTTPConnection(*self._address, timeout=2)
        try:
            connection.request("GET", "/readyz", headers={"Host": self._name})
            response = connection.getresponse()
            self._answer = f"{response.status} {response.read(2000).decode(errors='replace')}"
            if response.status == http.HTTPStatus.OK:
                return True
        except (OSError, http.client.HTTPException) as error:
            self._answer = f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        if time.monotonic() > self._deadline:
            raise ServiceError(f"the web process does not get ready; /readyz last answered: {self._answer}")
        return False

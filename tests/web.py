"""A real web process for the suite, and the people and tokens that talk to it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from deploy.embedded.process import free_port
from tenants import ids
from tenants.db import transaction
from tenants.models import Membership, Person
from tests.client import Api
from tests.making import Place

ROOT = Path(__file__).resolve().parent.parent
_QUIET = {"RATE_LIMIT_TEAM": "0", "RATE_LIMIT_TOKEN": "0", "AUTH_FAILURES_PER_MINUTE": "0"}


class Web:
    """A running web process."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def said(self) -> str:
        """What it has written to its log."""
        return self.log.read_text(errors="replace")

    def wait_ready(self) -> None:
        """Block until it answers."""
        for _ in range(300):
            if self.process.poll() is not None:
                raise RuntimeError(f"the web process ended:\n{self.said()}")
            try:
                if httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError(f"the web process does not answer:\n{self.said()}")


@contextmanager
def running_web(server: str = "uvicorn", *, port: int = 0, **environment: str) -> Iterator[Web]:
    """Start a web process of our application, on a free port unless one is given; stop it at the end."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    commands = {
        "daphne": ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port), "deploy.asgi:application"],
        # As `up` starts it: held requests end with the server (deploy/children.py).
        "uvicorn": ["-m", "uvicorn", "--log-level", "warning", "--timeout-graceful-shutdown", "3", "--port", str(port)]
        + ["deploy.asgi:application"],
    }
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "web.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, *commands[server]],
                cwd=ROOT,
                env=os.environ | _QUIET | {"BASE_URL": url} | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        web = Web(process, url, log)
        try:
            web.wait_ready()
            yield web
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def make_person(name: str) -> Person:
    """Somebody new who can sign in."""
    return Person.objects.create_user(f"{name}-{ids.new_id().hex}@example.com", "correct horse battery", name=name)


def join(place: Place, person: Person, role: str) -> None:
    """Give a person a place in a team."""
    with transaction(place.team_id):
        Membership.objects.create(team_id=place.team_id, person=person, role=role)


def browser(web: Web, place: Place, person: Person) -> Api:
    """A client with the dashboard's session of a person, and its CSRF token."""
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    csrf = "x" * 32
    cookies = {settings.SESSION_COOKIE_NAME: session.session_key, settings.CSRF_COOKIE_NAME: csrf}
    return Api(web.url, place, cookies=cookies, headers={"X-CSRFToken": csrf})

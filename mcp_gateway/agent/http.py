"""The REST API for commands and hooks: one call, its answer or what stands in the way."""

import json
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

from mcp_gateway.agent import VERSION
from mcp_gateway.agent.output import EXIT_AWAY, EXIT_USE, UserError, clean
from mcp_gateway.agent.settings import Settings
from mcp_gateway.agent.transport import ConnectFailed, ConnectionLost, Exchange, NoAnswerInTime

_API = "/api/v1"
_PASSING = frozenset({502, 503, 504})  # what is worth another try
_IN_FLIGHT = b'"idempotency_in_flight"'  # an earlier try of this very call, whose connection broke, still runs
_MOST_PAUSE = 5.0  # seconds between two tries, whatever Retry-After says


@dataclass(frozen=True)
class Answer:
    """What the server answered: 200, 201, 202, 204, or a 409, which says why not and what else can be done."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether it is a no."""
        return self.status == 409

    @property
    def problem(self) -> str:
        """The code of a refusal, such as `claim_conflict`; empty where it was none."""
        return str(self.body.get("code", "")) if self.refused and isinstance(self.body, dict) else ""


class Unreachable(UserError):
    """The server cannot be reached, or what answers is no Interlock."""

    def __init__(self, text: str) -> None:
        super().__init__(text, EXIT_AWAY)


class Refused(UserError):
    """The server answered with a problem (docs/errors.md). `problem` is the document, `status` its number."""

    def __init__(self, problem: Mapping[str, Any], status: int, code: int | None = None) -> None:
        self.problem = dict(problem)
        self.status = status
        told = (problem.get("detail") or problem.get("title") or f"status {status}", problem.get("remedy") or "")
        text = clean(" ".join(str(part) for part in told if part))
        if status >= 500 and problem.get("request_id"):
            text += f" (request {clean(str(problem['request_id']))})"
        misuse = 400 <= status < 500 and status != 429
        super().__init__(text, (EXIT_USE if misuse else EXIT_AWAY) if code is None else code)

    @property
    def kind(self) -> str:
        """The problem's code, such as `not_found`."""
        return str(self.problem.get("code", ""))


class NotAllowed(Refused):
    """401 or 403: the credential is not known, or may not do this."""

    def __init__(self, problem: Mapping[str, Any], status: int) -> None:
        super().__init__(problem, status, EXIT_AWAY)


class Client:
    """One server, one project, one credential, and the run that acts where there is one."""

    def __init__(self, settings: Settings, *, instance: str = "", timeout: float = 30, retries: int = 2) -> None:
        self.settings = settings
        self.instance = instance
        self.timeout = timeout
        self.retries = retries

    def acting(self, instance: str) -> "Client":
        """The same, on behalf of a run."""
        return Client(self.settings, instance=instance, timeout=self.timeout, retries=self.retries)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        *,
        key: str = "",
    ) -> Answer:
        """One call.

        `path` is relative to the project (`claims`), to the team (`T/projects`), or absolute (`/api/v1/me`).
        `key` is the Idempotency-Key of a POST (default: a fresh one); tries of one call share it.
        Raises Unreachable, NotAllowed (401, 403) and Refused; a 409 is an answer.
        """
        url = self.address(path, query)
        headers = self._headers(key or str(uuid.uuid4()) if method == "POST" else "")
        data = None
        if body is not None or method == "POST":
            data = json.dumps({} if body is None else body).encode()
            headers["Content-Type"] = "application/json"
        return self._tried(method, url, headers, data, self.timeout if timeout is None else timeout)

    def _tried(self, method: str, url: str, headers: dict[str, str], data: bytes | None, timeout: float) -> Answer:
        left = self.retries
        while True:
            exchange = Exchange(method, url, headers, data, timeout)
            try:
                response = exchange.send()
                raw = exchange.read(response)
            except NoAnswerInTime:
                raise Unreachable(f"{self._host()} did not answer within {timeout:g} s. Try again.") from None
            except (ConnectFailed, ConnectionLost) as error:
                if not left:
                    raise Unreachable(self._away(error)) from None
                pause = None
            else:
                pause = _retry_after(response.headers)
                passing = response.status in _PASSING or (response.status == 409 and _IN_FLIGHT in raw)
                if not passing or not left or (pause or 0) > _MOST_PAUSE:
                    return self._answer(response.status, dict(response.headers.items()), raw)
            finally:
                exchange.close()
            time.sleep(_pause(self.retries - left, pause))
            left -= 1

    def address(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """The full address of a path; see `request`. Members of `query` that are None are left out."""
        team = f"{_API}/teams/{self.settings.team}"
        if not path.startswith("/"):
            in_team = path == "T" or path.startswith("T/")
            path = team + path[1:] if in_team else f"{team}/projects/{self.settings.project}/{path}".rstrip("/")
        said = {name: value for name, value in (query or {}).items() if value is not None}
        return self.settings.url + path + (f"?{urlencode(said, doseq=True)}" if said else "")

    def _headers(self, key: str) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self.settings.token}",
            "Accept": "application/json",
            "Connection": "close",
            "User-Agent": f"interlock/{VERSION}",
        }
        if self.instance:
            headers["Interlock-Instance"] = self.instance
        if key:
            headers["Idempotency-Key"] = key
        return headers

    def _answer(self, status: int, headers: dict[str, str], raw: bytes) -> Answer:
        if 300 <= status < 400:
            where = next((value for name, value in headers.items() if name.lower() == "location"), "elsewhere")
            parts = urlsplit(where)
            there = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "another path"
            raise Unreachable(
                f"{self._host()} redirects to {clean(there)}, where the token is not sent. Put the final address into "
                "INTERLOCK_URL."
            )
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw  # of another make than ours
        if status == 204 or (status < 300 and isinstance(body, dict)):
            return Answer(status, body, headers)
        if not isinstance(body, dict) or "code" not in body:
            raise Unreachable(
                f"{self._host()} answered {status}, and not as Interlock does. Is INTERLOCK_URL right, is a proxy "
                "in between?"
            )
        if status == 409:
            return Answer(status, body, headers)
        raise NotAllowed(body, status) if status in (401, 403) else Refused(body, status)

    def _host(self) -> str:
        parts = urlsplit(self.settings.url)
        return f"{parts.scheme}://{parts.netloc}"

    def _away(self, error: OSError) -> str:
        return f"{self._host()} cannot be reached: {clean(str(error))}. `interlock doctor` looks for the cause."


def _retry_after(headers: Message) -> float | None:
    said = headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else None


def _pause(tries: int, told: float | None) -> float:
    """Seconds before the next try: what the server said, else doubling; with jitter, so that not all come at once."""
    base = told if told else min(_MOST_PAUSE, 0.2 * 2**tries)
    return base * (1 + random.random() * 0.3) if told else base * (0.5 + random.random() / 2)  # noqa: S311 - no secret

"""Teams for the bench, made straight in its database, and agents that talk to it over HTTP."""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.bench.client import Answer, Connection, EventReader, headers, request

if TYPE_CHECKING:
    from tests.making import Place

_REGISTER_AT_ONCE = 16


def set_up_django(environment: dict[str, str]) -> None:
    """Lead the settings to the bench's own platform. Once per process."""
    os.environ.update(environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings"
    os.environ["INTERLOCK_PROCESS"] = "interlock-bench"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # teams are made between measurements, when the loop may stand still
    import django

    django.setup()


class Team:
    """A fresh team, its token, and where the web server is."""

    def __init__(self, address: tuple[str, int]) -> None:
        from tests.making import make_place

        self.address = address
        self.place: Place = make_place()
        self.place.set_policy(max_claims_per_agent=0, max_queued_per_agent=0)
        self.token = self.place.token()
        self.path = f"/api/v1/teams/{self.place.slug}/projects/{self.place.project}"

    async def agents(self, count: int, name: str = "agent") -> "list[Agent]":
        """This many registered runs, each with a connection of its own."""
        gate = asyncio.Semaphore(_REGISTER_AT_ONCE)

        async def one(number: int) -> Agent:
            async with gate:
                return await Agent.register(self, f"{name}-{number}")

        return list(await asyncio.gather(*(one(number) for number in range(count))))


class Agent:
    """One run of an agent: an instance, and a keep-alive connection. ``took`` is what the last request took."""

    __slots__ = ("_connection", "_headers", "errors", "instance", "name", "path", "team", "times")

    def __init__(self, team: Team, name: str, connection: Connection) -> None:
        self.team = team
        self.name = name
        self.path = team.path
        self.instance = ""
        self.times: list[float] = []
        self.errors = 0
        self._connection = connection
        self._headers = headers(host="127.0.0.1", authorization=f"Bearer {team.token}")

    @classmethod
    async def register(cls, team: Team, name: str) -> "Agent":
        """Connect and register."""
        agent = cls(team, name, await Connection.open(*team.address))
        said = {"agent": name, "tool": "bench", "worktree": f"/work/{name}", "thread_id": name}
        answer = await agent.post("/instances", said)
        if answer.status not in (200, 201):
            raise RuntimeError(f"not registered: {answer.status} {answer.body[:500]!r}")
        found = answer.json()
        agent.instance = found["id"]
        agent._headers += headers(interlock_instance=found["handle"])
        agent.times.clear()
        return agent

    def prepared(self, method: str, path: str, body: Any = None) -> bytes:
        """The bytes of a request, for sending later."""
        return request(method, self.path + path, self._headers, body)

    async def send(self, prepared: bytes) -> Answer:
        """Send and wait; the time goes into ``times``, anything of 500 or above into ``errors``."""
        if self._connection.closed:  # servers close what is idle; clients connect again
            self._connection = await Connection.open(*self.team.address)
        started = time.perf_counter()
        answer = await self._connection.ask(prepared)
        self.times.append(time.perf_counter() - started)
        if answer.status >= 500:
            self.errors += 1
        return answer

    async def post(self, path: str, body: Any = None) -> Answer:
        """POST below the project."""
        return await self.send(self.prepared("POST", path, body))

    async def get(self, path: str) -> Answer:
        """GET below the project."""
        return await self.send(self.prepared("GET", path))

    async def claim(self, paths: Sequence[str], **terms: Any) -> Answer:
        """Ask for paths."""
        return await self.post("/claims", {"paths": list(paths), **terms})

    async def release(self, claim_id: str) -> Answer:
        """Give a claim back."""
        return await self.send(self.prepared("DELETE", f"/claims/{claim_id}"))

    async def stream(self, path: str, on_event: Any) -> EventReader:
        """Open an event stream on a connection of its own."""
        loop = asyncio.get_running_loop()
        wanted = self.prepared("GET", path)
        _, reader = await loop.create_connection(lambda: EventReader(wanted, on_event), *self.team.address)
        await reader.opened
        return reader

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def hang_up(agents: Sequence[Agent]) -> None:
    """Close all of their connections."""
    for agent in agents:
        agent.close()


def times(agents: Sequence[Agent]) -> list[float]:
    """Everything their requests took."""
    return [took for agent in agents for took in agent.times]


def errors(agents: Sequence[Agent]) -> int:
    """How many answers were failures of the server."""
    return sum(agent.errors for agent in agents)

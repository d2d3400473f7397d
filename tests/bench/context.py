"""What every scenario is given."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.bench.launch import Platform
from tests.bench.measure import Cpu, Result, per_request, spread
from tests.bench.places import Agent, Team, errors, times

_STARTED = time.monotonic()
WARM_S = 1.0


def say(line: str) -> None:
    """A line of progress, for people."""
    print(f"bench [{time.monotonic() - _STARTED:6.1f} s] {line}", file=sys.stderr, flush=True)


@dataclass
class Bench:
    """The platform to measure, and how thoroughly."""

    platform: Platform
    quick: bool = False

    @property
    def seconds(self) -> float:
        """How long one case is measured."""
        return 2.0 if self.quick else 8.0

    def restart(self, **environment: str) -> None:
        """Another start of the platform on the same data."""
        from django.db import connection  # needs Django

        connection.close()  # it leads to the server that is about to stop
        connection.close_pool()
        self.platform.restart(**environment)

    def team(self) -> Team:
        """A fresh team."""
        return Team(self.platform.address)


Scenario = Callable[[Bench], Awaitable[Result]]
Step = Callable[[Agent], Awaitable[None]]


async def loop(agents: Sequence[Agent], step: Step, seconds: float) -> float:
    """Every agent does ``step`` again and again; the seconds it really took."""
    started = time.perf_counter()

    async def work(agent: Agent) -> None:
        while time.perf_counter() - started < seconds:
            await step(agent)

    await asyncio.gather(*(work(agent) for agent in agents))
    return time.perf_counter() - started


async def paced(agents: Sequence[Agent], step: Step, seconds: float, every_s: float) -> None:
    """Every agent does ``step`` once in ``every_s``, agents evenly spread over it; a late one skips what it missed."""
    started = time.perf_counter()

    async def work(number: int, agent: Agent) -> None:
        due = started + every_s * number / len(agents)
        while due < started + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await step(agent)
            due = max(due + every_s, time.perf_counter() - every_s)

    await asyncio.gather(*(work(number, agent) for number, agent in enumerate(agents)))


def fresh(agents: Sequence[Agent]) -> None:
    """Forget the times measured so far."""
    for agent in agents:
        agent.times.clear()


async def pressed(
    agents: Sequence[Agent], step: Step, seconds: float, cpu: Cpu, *, warm: float = WARM_S
) -> dict[str, float]:
    """Figures of a closed loop: rate, times per request, and processor time per request."""
    await loop(agents, step, warm)
    fresh(agents)
    before = cpu.read()
    took = await loop(agents, step, seconds)
    after = cpu.read()
    all_times = times(agents)
    return {
        "requests_s": round(len(all_times) / took, 1),
        **spread(all_times),
        **per_request(before, after, len(all_times)),
        "errors": errors(agents),
    }

"""One file, 64 who want it, each waiting in line. How soon does the next one hear, and does every one get its turn?"""

import asyncio
import time

from tests.bench.context import Bench
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import Agent, Team, hang_up

_WAITERS = 64
_PATH = "src/hot.py"
_WAIT_S = 120


class Line:
    """One round: who came when, who was served when."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.served: list[str] = []
        self.took: list[float] = []
        self.faults = 0
        self._released = 0.0
        self._holding = 0

    async def give_back(self, agent: Agent, claim_id: str) -> None:
        """The holder is done: from this moment the next one's answer is awaited."""
        self._holding -= 1
        self._released = time.perf_counter()
        answer = await agent.release(claim_id)
        if answer.status != 200:
            self.faults += 1

    def take(self) -> None:
        """Somebody holds it; two at once would be a fault."""
        self._holding += 1
        if self._holding > 1:
            self.faults += 1

    async def wait(self, agent: Agent) -> None:
        """Wait in line, take it, give it back."""
        answer = await agent.claim([_PATH], wait_seconds=_WAIT_S)
        if answer.status != 201:
            self.faults += 1
            return
        self.took.append(time.perf_counter() - self._released)
        self.take()
        self.served.append(agent.name)
        await self.give_back(agent, answer.json()["id"])


async def _round(team: Team, holder: Agent, waiters: list[Agent]) -> Line:
    line = Line()
    held = await holder.claim([_PATH])
    line.take()
    tasks = []
    for agent in waiters:
        tasks.append(asyncio.create_task(line.wait(agent)))
        line.came.append(agent.name)
        while await _length(holder) < len(line.came):  # so that the order of arrival is known
            await asyncio.sleep(0)
    await line.give_back(holder, held.json()["id"])
    await asyncio.gather(*tasks)
    return line


async def _length(agent: Agent) -> int:
    return len((await agent.get("/queue?limit=200")).json()["items"])


async def run(bench: Bench) -> Result:
    """A few rounds."""
    team = bench.team()
    [holder] = await team.agents(1, "holder")
    waiters = await team.agents(_WAITERS, "waiter")
    try:
        lines = [await _round(team, holder, waiters) for _ in range(2 if bench.quick else 8)]
    finally:
        hang_up([holder, *waiters])
    took = [one for line in lines for one in line.took]
    served = sum(len(line.served) for line in lines)
    in_order = sum(line.served == line.came for line in lines)
    faults = sum(line.faults for line in lines)
    figures = spread(took) | {"served": served, "asked": _WAITERS * len(lines), "errors": faults}
    fair = served == figures["asked"] and in_order == len(lines) and not faults
    return Result(
        [Row("hotfile", f"release to next answer, {_WAITERS} waiters", figures)],
        [
            Bar("release -> next waiter's answer, p50", "< 15 ms", f"{figures['p50_ms']} ms", figures["p50_ms"] < 15),
            Bar("release -> next waiter's answer, p99", "< 60 ms", f"{figures['p99_ms']} ms", figures["p99_ms"] < 60),
            Bar(
                "every waiter served, in order, none lost, none double",
                "all",
                f"{served} of {figures['asked']:g}, {in_order} of {len(lines)} rounds in order",
                fair,
            ),
        ],
    )

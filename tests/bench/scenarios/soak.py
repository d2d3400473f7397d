"""A thousand runs for ten minutes: heartbeats, held waits, open streams. Does anything grow, or give way?

Only when it is asked for by name: it takes as long as it says.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.bench.context import Bench, say
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import Agent, errors, hang_up, times

_TEAMS = 10
_BEATING, _WAITING, _READING = 70, 20, 10  # of each team
_BEAT_S, _WAIT_S, _EVENT_S = 10.0, 25, 2.0
_GROWN = 1.1


class _Load:
    """Everybody's work, until the time is over."""

    def __init__(self, seconds: float) -> None:
        self._until = time.perf_counter() + seconds
        self.heard = 0
        self.waits = 0

    def over(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() >= self._until

    async def beat(self, agent: Agent, number: int) -> None:
        """A heartbeat every ten seconds; the first agent of a team also publishes."""
        await asyncio.sleep(_BEAT_S * number / _BEATING)
        while not self.over():
            answer = await agent.post(f"/instances/{agent.instance}/heartbeat")
            agent.errors += answer.status != 200
            await asyncio.sleep(_BEAT_S)

    async def wait(self, agent: Agent, number: int) -> None:
        """Stands in line for what is never given back, leaves it, and comes again."""
        while not self.over():
            answer = await agent.claim(["held/file.py"], wait_seconds=_WAIT_S)
            agent.errors += answer.status != 202
            agent.times.clear()  # what was waited for is no latency
            if answer.status == 202:
                self.waits += 1
                await agent.send(agent.prepared("DELETE", f"/queue/{answer.json()['id']}"))

    async def read(self, agent: Agent, number: int) -> None:
        """An open stream."""

        def hear(_: bytes) -> None:
            self.heard += 1

        stream = await agent.stream("/events/stream?type=topic.*", hear)
        while not self.over():
            await asyncio.sleep(1)
        stream.close()

    async def publish(self, agent: Agent) -> None:
        """An event every two seconds."""
        while not self.over():
            await agent.post("/events", {"topic": "soak"})
            await asyncio.sleep(_EVENT_S)


async def run(bench: Bench) -> Result:
    """Ten teams of a hundred; memory of the web process after a tenth of the time, and at the end."""
    seconds = 60.0 if bench.quick else 600.0
    everybody: list[Agent] = []
    tasks: list[asyncio.Task[None]] = []
    load = _Load(seconds)
    for number in range(_TEAMS):
        agents = await bench.team().agents(1 + _BEATING + _WAITING + _READING, f"t{number}")
        everybody += agents
        holder, *others = agents
        await holder.claim(["held/file.py"])
        tasks.append(asyncio.create_task(load.publish(holder)))
        roles: list[tuple[Callable[[Agent, int], Awaitable[None]], int]] = [
            (load.beat, _BEATING),
            (load.wait, _WAITING),
            (load.read, _READING),
        ]
        for role, count in roles:
            mine, others = others[:count], others[count:]
            tasks += [asyncio.ensure_future(role(agent, n)) for n, agent in enumerate(mine)]
    say(f"{len(everybody)} runs are at work")
    cpu = bench.platform.cpu()
    await asyncio.sleep(seconds / 10)
    early = cpu.resident()["web"]
    before, started = cpu.read(), time.perf_counter()
    await asyncio.gather(*tasks)
    late, after, took = cpu.resident()["web"], cpu.read(), time.perf_counter() - started
    failed = errors(everybody)
    figures = spread(times(everybody)) | {
        "requests_s": round(len(times(everybody)) / seconds, 1),
        "waits": load.waits,
        "events_heard": load.heard,
        "web_mb_early": early,
        "web_mb_late": late,
        "web_core": round((after["web"] - before["web"]) / took, 2),
        "errors": failed,
    }
    hang_up(everybody)
    return Result(
        [Row("soak", f"{len(everybody)} runs for {seconds:.0f} s", figures)],
        [
            Bar("a thousand runs: nothing fails", "0 errors", f"{failed}", failed == 0),
            Bar(
                "a thousand runs: memory of the web process",
                f"<= {_GROWN}x",
                f"{early:.0f} to {late:.0f} MB",
                late <= early * _GROWN,
            ),
        ],
    )

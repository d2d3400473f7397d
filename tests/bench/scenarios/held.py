"""Does deciding stay flat while ever more is held? Checks and claims beside 0 to 100,000 held claims of one team."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.bench.context import Bench, say
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import Agent

_HELD = (0, 100, 10_000, 100_000)
_QUICK = (0, 100, 10_000)
_PER_DIRECTORY = 100
_LIMIT = 1.3

Ask = Callable[[Agent, int], Awaitable[float]]


async def check_file(agent: Agent, number: int) -> float:
    """Would a new file in a directory full of held ones be free?"""
    return await _check(agent, f"seeded/d00000/new{number}.py")


async def check_directory(agent: Agent, number: int) -> float:
    """Would a kind of files of that directory be free? A hundred held ones have to be looked at."""
    return await _check(agent, f"seeded/d00000/*.t{number}")


async def _check(agent: Agent, path: str) -> float:
    answer = await agent.post("/claims/check", {"paths": [path]})
    if not answer.json()["free"]:
        agent.errors += 1
    return agent.times[-1]


async def claim_file(agent: Agent, number: int) -> float:
    """Take that new file; given back at once, which is not counted."""
    answer = await agent.claim([f"seeded/d00000/new{number}.py"])
    took = agent.times[-1]
    if answer.status != 201:
        agent.errors += 1
        return took
    await agent.release(answer.json()["id"])
    return took


_ASKED: dict[str, Ask] = {"check a file": check_file, "check a glob": check_directory, "claim a file": claim_file}


async def seeded(bench: Bench, held: int) -> Agent:
    """An agent of a fresh team in which others hold this much."""
    from tests.seeding import seed_claims  # needs Django

    team = bench.team()
    [agent] = await team.agents(1)
    if held:
        started = time.perf_counter()
        directories = max(1, held // _PER_DIRECTORY)
        owner = bench.platform.environment["MIGRATE_DATABASE_URL"]
        await asyncio.to_thread(seed_claims, owner, team.place, held, directories=directories)
        say(f"  {held} held claims written in {time.perf_counter() - started:.1f} s")
    return agent


async def run(bench: Bench) -> Result:
    """All sizes in turn, one request at a time: what else runs on this machine meets all of them alike."""
    sizes = _QUICK if bench.quick else _HELD
    agents = {held: await seeded(bench, held) for held in sizes}
    rounds = 60 if bench.quick else 400
    result = Result()
    for name, ask in _ASKED.items():
        times = await _in_turn(agents, ask, rounds)
        for held in sizes:
            figures = spread(times[held]) | {"errors": agents[held].errors}
            result.rows.append(Row("held", f"{name}, {held:,} held", figures))
        result.curves[name] = [(held, spread(times[held])["p50_ms"]) for held in sizes]
        ratio = spread(times[sizes[-1]])["p50_ms"] / spread(times[100])["p50_ms"]
        result.bars.append(
            Bar(f"{name}, {sizes[-1]:,} held against 100", f"<= {_LIMIT}x", f"{ratio:.2f}x", ratio <= _LIMIT)
        )
    for agent in agents.values():
        agent.close()
    return result


async def _in_turn(agents: dict[int, Agent], ask: Ask, rounds: int) -> dict[int, list[float]]:
    times: dict[int, list[float]] = {held: [] for held in agents}
    warm = 10
    for number in range(rounds + warm):
        for held, agent in agents.items():
            took = await ask(agent, number)
            if number >= warm:
                times[held].append(took)
    return times

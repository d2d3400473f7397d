"""Claim and release, again and again, on paths nobody else wants: what coordination costs when nobody is in the way."""

from tests.bench.context import Bench, Step, pressed
from tests.bench.measure import Result, Row
from tests.bench.places import Agent, Team, hang_up

_AGENTS = (1, 16, 64, 256)


def own_path(agent: Agent, number: int) -> str:
    """A file of this agent's own corner of the tree."""
    return f"src/{agent.name}/module/file{number % 50}.py"


def cycle() -> Step:
    """Claim a file and release it; counts on per agent."""
    counts: dict[str, int] = {}

    async def step(agent: Agent) -> None:
        number = counts[agent.name] = counts.get(agent.name, 0) + 1
        answer = await agent.claim([own_path(agent, number)])
        if answer.status != 201:
            agent.errors += 1
            return
        released = await agent.release(answer.json()["id"])
        if released.status != 200:
            agent.errors += 1

    return step


async def measure(bench: Bench, team: Team, count: int) -> dict[str, float]:
    """One case."""
    agents = await team.agents(count)
    try:
        found = await pressed(agents, cycle(), bench.seconds, bench.platform.cpu())
    finally:
        hang_up(agents)
    return {"cycles_s": round(found["requests_s"] / 2, 1), **found}


async def run(bench: Bench) -> Result:
    """1, 16, 64 and 256 agents."""
    result = Result()
    for count in _AGENTS[:3] if bench.quick else _AGENTS:
        found = await measure(bench, bench.team(), count)
        result.rows.append(Row("cycles", f"{count} agents", found))
    return result

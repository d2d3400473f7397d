"""256 runs at once: heartbeats as fast as they are answered, and the check an editor's hook makes before an edit."""

from tests.bench.context import Bench, fresh, paced, pressed
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import Agent, errors, hang_up, times
from tests.bench.scenarios.cycles import own_path

_RUNS = 256


async def _beat(agent: Agent) -> None:
    if (await agent.post(f"/instances/{agent.instance}/heartbeat")).status != 200:
        agent.errors += 1


async def _check(agent: Agent) -> None:
    if (await agent.post("/claims/check", {"paths": [own_path(agent, len(agent.times))]})).status != 200:
        agent.errors += 1


async def run(bench: Bench) -> Result:
    """Throughput of heartbeats; then each run checks one path a second, all of them spread over that second."""
    agents = await bench.team().agents(_RUNS)
    try:
        beats = await pressed(agents, _beat, bench.seconds, bench.platform.cpu())
        await paced(agents, _check, 1.0, 1.0)
        fresh(agents)
        await paced(agents, _check, bench.seconds, 1.0)
        checks = spread(times(agents)) | {"errors": errors(agents)}
    finally:
        hang_up(agents)
    return Result(
        [
            Row("presence", f"heartbeats, {_RUNS} runs", beats),
            Row("presence", f"edit-time check, {_RUNS} runs, each once a second", checks),
        ],
        [
            Bar(
                "edit-time hook, server side, p99 at 256 runs",
                "< 100 ms",
                f"{checks['p99_ms']} ms",
                checks["p99_ms"] < 100,
            )
        ],
    )

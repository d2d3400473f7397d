"""One agent asks for a hundred scopes at once, or verifies three hundred paths: who waits how long?"""

import asyncio
import time

from tests.bench.context import Bench, Step, fresh, paced
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import Agent, errors, hang_up, times
from tests.bench.scenarios.cycles import cycle
from tests.bench.scenarios.held import seeded

_HELD = 5000
_DIRECTORIES = 50
_SCOPES = 100
_VERIFIED = 300
_EVERY_S = 0.1
_NEIGHBOURS = 4


async def run(bench: Bench) -> Result:
    """The quiet figures of the neighbours first, then the wide claims beside them, then the verifications."""
    wide = await seeded(bench, _HELD)
    same = await wide.team.agents(_NEIGHBOURS, "neighbour")
    other = await bench.team().agents(_NEIGHBOURS)
    step = cycle()
    try:
        await _beside(same, other, step, bench.seconds / 4)  # warm
        quiet = await _beside(same, other, step, bench.seconds)
        claims, busy = await _together(bench, wide, _claim_many, same, other, step)
        verifies, busy_verifying = await _together(bench, wide, _verify_many, same, other, step)
    finally:
        hang_up([wide, *same, *other])
    result = Result()
    for case, figures in (
        (f"claim of {_SCOPES} scopes, {_HELD:,} held", claims),
        (f"verify of {_VERIFIED} paths, {_HELD:,} held", verifies),
    ):
        result.rows.append(Row("wide", case, figures))
    for who, index in (("same repository", 0), ("other team", 1)):
        result.rows.append(Row("wide", f"{who}, quiet", quiet[index]))
        result.rows.append(Row("wide", f"{who}, beside wide claims", busy[index]))
        result.rows.append(Row("wide", f"{who}, beside verifications", busy_verifying[index]))
    result.bars = [
        Bar("100 scopes in one claim, p95", "< 150 ms", f"{claims['p95_ms']} ms", claims["p95_ms"] < 150),
        Bar("300-path verify, p95", "< 300 ms", f"{verifies['p95_ms']} ms", verifies["p95_ms"] < 300),
        _more("same repository's p95 beside wide claims", quiet[0], busy[0], 25),
        _more("another team's p95 beside wide claims", quiet[1], busy[1], 25),
    ]
    return result


def _more(name: str, quiet: dict[str, float], busy: dict[str, float], limit: float) -> Bar:
    more = busy["p95_ms"] - quiet["p95_ms"]
    return Bar(name, f"<= {limit:g} ms more", f"{more:+.1f} ms", more <= limit)


async def _beside(
    same: list[Agent], other: list[Agent], step: Step, seconds: float
) -> tuple[dict[str, float], dict[str, float]]:
    fresh([*same, *other])
    await paced([*same, *other], step, seconds, _EVERY_S)
    return tuple(spread(times(group)) | {"errors": errors(group)} for group in (same, other))  # type: ignore[return-value]


async def _together(
    bench: Bench, wide: Agent, ask: Step, same: list[Agent], other: list[Agent], step: Step
) -> tuple[dict[str, float], tuple[dict[str, float], dict[str, float]]]:
    stop = time.perf_counter() + bench.seconds
    took: list[float] = []

    async def keep_asking() -> None:
        while time.perf_counter() < stop:
            wide.times.clear()
            await ask(wide)
            took.append(wide.times[0])

    asking = asyncio.create_task(keep_asking())
    neighbours = await _beside(same, other, step, bench.seconds)
    await asking
    return spread(took) | {"asked": len(took), "errors": wide.errors}, neighbours


async def _claim_many(agent: Agent) -> None:
    """Files all over the tree, in directories full of what others hold."""
    answer = await agent.claim([f"seeded/d{n % _DIRECTORIES:05d}/wide{n}.py" for n in range(_SCOPES)])
    if answer.status != 201:
        agent.errors += 1
        return
    await agent.release(answer.json()["id"])


async def _verify_many(agent: Agent) -> None:
    """A change over files that others hold, and as many that nobody does."""
    held = [{"path": f"seeded/d{n % _DIRECTORIES:05d}/f{n:07d}.py"} for n in range(_VERIFIED // 2)]
    free = [{"path": f"seeded/d{n % _DIRECTORIES:05d}/other{n}.py"} for n in range(_VERIFIED - len(held))]
    answer = await agent.post("/verify", {"changes": held + free, "instance": agent.instance})
    if answer.status != 200 or len(answer.json()["findings"]) != _VERIFIED:
        agent.errors += 1

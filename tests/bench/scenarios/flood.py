"""One team floods the platform. What does a quiet team beside it feel?"""

import asyncio

from tests.bench.context import Bench, fresh, loop, paced
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import errors, hang_up, times
from tests.bench.scenarios.cycles import cycle

_QUIET, _FLOODING = 4, 64
_EVERY_S = 0.1


async def run(bench: Bench) -> Result:
    """The quiet team alone, then beside a flood of claims and releases as fast as they are answered."""
    quiet = await bench.team().agents(_QUIET)
    flood = await bench.team().agents(_FLOODING)
    step = cycle()
    try:
        await paced(quiet, step, bench.seconds / 4, _EVERY_S)
        fresh(quiet)
        await paced(quiet, step, bench.seconds, _EVERY_S)
        alone = spread(times(quiet))
        fresh(quiet)
        flooding = asyncio.create_task(loop(flood, cycle(), bench.seconds + 1))
        await asyncio.sleep(0.5)
        await paced(quiet, step, bench.seconds, _EVERY_S)
        took = await flooding
        beside = spread(times(quiet)) | {"errors": errors(quiet)}
        flooded = spread(times(flood)) | {
            "requests_s": round(len(times(flood)) / took, 1),
            "errors": errors(flood),
        }
    finally:
        hang_up([*quiet, *flood])
    ratio = beside["p95_ms"] / alone["p95_ms"]
    return Result(
        [
            Row("flood", "quiet team alone", alone),
            Row("flood", "quiet team beside the flood", beside),
            Row("flood", f"the flood, {_FLOODING} agents", flooded),
        ],
        [Bar("a flooding team: another team's p95", "<= 2x its quiet figure", f"{ratio:.1f}x", ratio <= 2)],
    )

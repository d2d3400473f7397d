"""One team floods the platform. What does a quiet team beside it feel?"""

import asyncio

from tests.bench.context import Bench, fresh, loop, paced
from tests.bench.launch import AS_SHIPPED
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import errors, hang_up, times
from tests.bench.scenarios.cycles import cycle

_QUIET, _FLOODING = 4, 64
_EVERY_S = 0.1
_LIMITS = {"RATE_LIMIT_TEAM": AS_SHIPPED, "RATE_LIMIT_TOKEN": AS_SHIPPED}


async def run(bench: Bench) -> Result:
    """With the rate limits as shipped (whose flooders do not care for Retry-After), and with none at all."""
    result = Result()
    for case, settings in (("limits as shipped", _LIMITS), ("no limits", {})):
        bench.restart(**settings)
        alone, beside, flood = await _measure(bench)
        result.rows += [
            Row("flood", f"{case}: quiet team alone", alone),
            Row("flood", f"{case}: quiet team beside the flood", beside),
            Row("flood", f"{case}: the flood, {_FLOODING} agents", flood),
        ]
        ratio = beside["p95_ms"] / alone["p95_ms"]
        if settings:
            bar = Bar("a flooding team: another team's p95", "<= 2x its quiet figure", f"{ratio:.1f}x", ratio <= 2)
            result.bars.append(bar)
    return result


async def _measure(bench: Bench) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
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
    finally:
        hang_up([*quiet, *flood])
    flooded = spread(times(flood)) | {"requests_s": round(len(times(flood)) / took, 1), "refused": errors(flood)}
    return alone, spread(times(quiet)) | {"errors": errors(quiet)}, flooded

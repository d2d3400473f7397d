"""The floor: what the database alone would do, asked the very same questions by a bare connection pool."""

import asyncio

from tests.bench import bare
from tests.bench.context import Bench
from tests.bench.measure import Bar, Result, Row
from tests.bench.scenarios import cycles

_WORKERS = 64
_CONNECTIONS = (4, 8, 16)  # as many as the web process has threads, fewer, and more
_SHARE = 0.25


async def run(bench: Bench) -> Result:
    """Bare pools, then the platform once more in the same minute, and the ratio to the best pool."""
    place = bench.team().place
    recorded = [bare.record(place, number) for number in range(_WORKERS)]
    url = bench.platform.environment["DATABASE_URL"]
    result = Result()
    best = 0.0
    for connections in _CONNECTIONS:
        ways = {
            "threads": await asyncio.to_thread(bare.by_threads, url, recorded, bench.seconds, connections),
            "tasks": await bare.by_tasks(url, recorded, bench.seconds, connections),
        }
        for way, rate in ways.items():
            best = max(best, rate)
            result.rows.append(
                Row("floor", f"bare pool, {connections} connections, {way}", {"cycles_s": round(rate, 1)})
            )
    found = await cycles.measure(bench, bench.team(), _WORKERS)
    share = found["cycles_s"] / best
    result.rows.append(Row("floor", f"HTTP, {_WORKERS} agents", found | {"share_of_bare": round(share, 3)}))
    result.bars.append(
        Bar("claim + release over HTTP, share of a bare pool", f">= {_SHARE:.0%}", f"{share:.0%}", share >= _SHARE)
    )
    return result

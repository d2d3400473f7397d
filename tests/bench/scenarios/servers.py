"""The same load on each web server, and on two web processes that share the port."""

from tests.bench.context import Bench
from tests.bench.measure import Result, Row
from tests.bench.scenarios import cycles

_AGENTS = 64
_SETTINGS = (
    {"INTERLOCK_WEB_SERVER": "daphne"},
    {"INTERLOCK_WEB_SERVER": "uvicorn"},
    {"INTERLOCK_WEB_SERVER": "daphne", "INTERLOCK_WEB_PROCESSES": "2"},
    {"INTERLOCK_WEB_SERVER": "uvicorn", "INTERLOCK_WEB_PROCESSES": "2"},
)


async def run(bench: Bench) -> Result:
    """Restarts the platform for each, on the same data; and once more as it was."""
    result = Result()
    for settings in _SETTINGS:
        bench.restart(**settings)
        found = await cycles.measure(bench, bench.team(), _AGENTS)
        processes = int(settings.get("INTERLOCK_WEB_PROCESSES", "1"))
        name = f"{settings['INTERLOCK_WEB_SERVER']}, {processes} process{'es' if processes > 1 else ''}"
        result.rows.append(Row("servers", f"{name}, {_AGENTS} agents", found))
    bench.restart()
    return result

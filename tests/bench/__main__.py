"""``python3 manage.py bench [scenario…] [--quick] [--json FILE] [--plot FILE] [--peer]``."""

import argparse
import asyncio
import gc
import sys
from pathlib import Path

from tests.bench import plot, report
from tests.bench.context import Bench, Scenario, say
from tests.bench.launch import DidNotStart, Platform
from tests.bench.measure import Result
from tests.bench.places import set_up_django
from tests.bench.scenarios import (
    command,
    cycles,
    flood,
    floor,
    guard,
    held,
    hotfile,
    mcp,
    presence,
    races,
    servers,
    soak,
    stream,
    wide,
)

SCENARIOS: dict[str, Scenario] = {
    "cycles": cycles.run,
    "floor": floor.run,
    "held": held.run,
    "wide": wide.run,
    "hotfile": hotfile.run,
    "races": races.run,
    "guard": guard.run,
    "mcp": mcp.run,
    "command": command.run,
    "flood": flood.run,
    "stream": stream.run,
    "presence": presence.run,
    "servers": servers.run,
    "soak": soak.run,
}
_ONLY_ASKED = ("soak",)
_LONGEST_S = 900  # of one scenario; it ends by itself long before, unless something hangs


def options(arguments: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="manage.py bench",
        description="Measure a platform of its own, started in a temporary directory, from another process.",
        epilog="Every bar is explained in docs/performance.md. Exit code 1 when one is missed.",
    )
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=f"of {', '.join(SCENARIOS)} (all but soak)")
    parser.add_argument("--quick", action="store_true", help="shorter and smaller; for a look, not for a figure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write latency against held claims as SVG")
    parser.add_argument(
        "--peer", action="store_true", help="measure coord-mcp-server beside it (installs it into a temporary place)"
    )
    found = parser.parse_args(arguments)
    if unknown := [name for name in found.scenarios if name not in SCENARIOS]:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    return found


def main(arguments: list[str]) -> int:
    """Run what was asked for; 0 when no bar was missed and nothing failed."""
    asked = options(arguments)
    found: dict[str, Result] = {}
    failed = False
    say("starting a platform in a temporary directory")
    try:
        with Platform() as platform:
            set_up_django(platform.environment)
            facts = report.machine(postgres=platform.postgres_version(), web_server=platform.cpu().web_server())
            bench = Bench(platform, quick=asked.quick)
            for name in asked.scenarios or [name for name in SCENARIOS if name not in _ONLY_ASKED]:
                failed |= not _measure(name, SCENARIOS[name], bench, found)
            if asked.peer:
                from tests.bench.peers import coord  # rarely asked for

                failed |= not _measure("peer", coord.run, bench, found)
    except DidNotStart as error:
        say(f"the platform does not start:\n{error}")
        return 1
    facts["load_after"] = report.load()
    report.show(facts, found)
    if asked.json:
        report.write(asked.json, report.document(facts, found, quick=asked.quick))
    curves = {name: curve for result in found.values() for name, curve in result.curves.items()}
    if asked.plot and curves:
        plot.write(asked.plot, "One decision while others hold ever more", curves)
    missed = any(bar.met is False for result in found.values() for bar in result.bars)
    return int(missed or failed)


def _measure(name: str, scenario: Scenario, bench: Bench, found: dict[str, Result]) -> bool:
    say(f"{name}: begins")
    gc.collect()
    gc.freeze()  # the load tool's own pauses are not what is measured
    try:
        found[name] = asyncio.run(_limited(scenario, bench))
    except Exception as error:  # a scenario that broke must not take the others' figures with it
        say(f"{name}: FAILED, {type(error).__name__}: {error}")
        return False
    bench.platform.settle()
    for row in found[name].rows:
        figures = " ".join(f"{key}={value:g}" for key, value in row.figures.items())
        say(f"{name}: {row.case}: {figures}")
    return True


async def _limited(scenario: Scenario, bench: Bench) -> Result:
    async with asyncio.timeout(_LONGEST_S):
        return await scenario(bench)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

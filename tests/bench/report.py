"""The table for people, the JSON for later runs, and the machine both were measured on."""

import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.measure import Bar, Result, Row

ROOT = Path(__file__).resolve().parents[2]
# Columns of the table, where a row has them; everything is in the JSON.
_COLUMNS = (
    ("cycles_s", "cycles/s"),
    ("requests_s", "req/s"),
    ("p50_ms", "p50 ms"),
    ("p95_ms", "p95 ms"),
    ("p99_ms", "p99 ms"),
    ("web_us", "web us"),
    ("postgres_us", "pg us"),
    ("own_us", "bench us"),
    ("errors", "errors"),
)
_VERSIONS = ("django", "psycopg", "daphne", "uvicorn", "pydantic", "orjson")


def machine(*, postgres: str, web_server: str) -> dict[str, Any]:
    """What the figures depend on. ``load`` above 1 at the start means that somebody else was working, too."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgres": postgres,
        "web_server": web_server,
        "packages": {name: version(name) for name in _VERSIONS},
        "load": load(),
    }


def load() -> list[float]:
    """How busy the machine is: of the last 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def document(facts: dict[str, Any], found: dict[str, Result], *, quick: bool) -> dict[str, Any]:
    """Everything, for JSON."""
    return {
        "machine": facts,
        "quick": quick,
        "rows": [
            {"scenario": row.scenario, "case": row.case, "figures": row.figures}
            for result in found.values()
            for row in result.rows
        ],
        "bars": [vars(bar) for result in found.values() for bar in result.bars],
        "curves": {name: points for result in found.values() for name, points in result.curves.items()},
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """The JSON file."""
    path.write_text(json.dumps(content, indent=1) + "\n")


def show(facts: dict[str, Any], found: dict[str, Result]) -> None:
    """The table, on standard output."""
    out = sys.stdout.write
    out(
        f"\n{facts['commit']}, {facts['cores']} cores ({facts['cpu']}), Python {facts['python']},"
        f" PostgreSQL {facts['postgres']}, {facts['web_server']}, load {facts['load'][0]} at the start\n\n"
    )
    rows = [row for result in found.values() for row in result.rows]
    for line in _table([["", "", *(title for _, title in _COLUMNS)], *map(_cells, rows)]):
        out(line + "\n")
    bars = [bar for result in found.values() for bar in result.bars]
    if bars:
        out("\n")
        for line in _table([["bar", "limit", "measured", ""], *map(_judged, bars)]):
            out(line + "\n")


def _cells(row: Row) -> list[str]:
    extra = ", ".join(
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in row.figures.items()
        if name not in dict(_COLUMNS) and name != "max_ms"
    )
    case = f"{row.case} ({extra})" if extra else row.case
    return [row.scenario, case, *(f"{row.figures[name]:g}" if name in row.figures else "" for name, _ in _COLUMNS)]


def _judged(bar: Bar) -> list[str]:
    return [bar.name, bar.limit, bar.measured, {True: "met", False: "MISSED", None: "not seen"}[bar.met]]


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    left = 2  # the first columns are words, the others figures
    return [
        "  ".join(
            cell.ljust(width) if at < left or not _is_figure(cell, at) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _is_figure(cell: str, at: int) -> bool:
    return at >= 2 and (not cell or cell[0].isdigit() or cell.endswith(("ms", "us", "/s", "errors")))

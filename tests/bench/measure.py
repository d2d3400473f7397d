"""Times into figures, and what the processes used meanwhile, out of /proc."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of all are not above (nearest rank)."""
    if not sorted_values:
        return 0.0
    rank = max(0, -(-int(share * 10_000) * len(sorted_values) // 10_000) - 1)
    return sorted_values[min(rank, len(sorted_values) - 1)]


def spread(seconds: Iterable[float]) -> dict[str, float]:
    """p50, p95, p99 and the worst, in milliseconds."""
    ordered = sorted(seconds)
    return {
        "p50_ms": round(percentile(ordered, 0.50) * 1000, 2),
        "p95_ms": round(percentile(ordered, 0.95) * 1000, 2),
        "p99_ms": round(percentile(ordered, 0.99) * 1000, 2),
        "max_ms": round((ordered[-1] if ordered else 0.0) * 1000, 2),
    }


@dataclass
class Row:
    """One measured case. ``figures`` go into the table and the JSON under their names."""

    scenario: str
    case: str
    figures: dict[str, float] = field(default_factory=dict)


@dataclass
class Bar:
    """One promise of docs/performance.md, and what this run measured. ``met`` is None where it could not be seen."""

    name: str
    limit: str
    measured: str
    met: bool | None


@dataclass
class Result:
    """What a scenario brings home."""

    rows: list[Row] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


class Cpu:
    """Processor seconds by kind of process, below one supervisor; ``own`` is the load tool itself."""

    _KINDS = (("postgres", "postgres"), ("daphne", "web"), ("uvicorn", "web"), ("celery", "worker"))

    def __init__(self, supervisor: int, *, ours: bool = True) -> None:
        self._supervisor = supervisor
        self._kinds = self._KINDS if ours else (("", "web"),)

    def read(self) -> dict[str, float]:
        """Seconds used so far."""
        used: dict[str, float] = {"web": 0.0, "postgres": 0.0, "worker": 0.0, "other": 0.0}
        parents, spent = _processes()
        for pid, seconds in spent.items():
            if self._below(pid, parents):
                used[_kind(pid, self._kinds)] += seconds
        times = os.times()
        used["own"] = times.user + times.system
        return used

    def resident(self) -> dict[str, float]:
        """Resident memory by kind, in megabytes."""
        used: dict[str, float] = {"web": 0.0, "postgres": 0.0, "worker": 0.0, "other": 0.0}
        parents, _ = _processes()
        for pid in parents:
            if self._below(pid, parents):
                try:
                    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                except OSError:
                    continue
                used[_kind(pid, self._kinds)] += pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return used

    def web_server(self) -> str:
        """Which one serves."""
        parents, _ = _processes()
        found = {
            _kind(pid, (("daphne", "daphne"), ("uvicorn", "uvicorn"))) for pid in parents if self._below(pid, parents)
        }
        return ", ".join(sorted(found - {"other"})) or "unknown"

    def _below(self, pid: int, parents: dict[int, int]) -> bool:
        while pid > 1:
            if pid == self._supervisor:
                return True
            pid = parents.get(pid, 0)
        return False


def _processes() -> tuple[dict[int, int], dict[int, float]]:
    """Parent of every process, and the seconds it and its ended children used."""
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        spent[pid] = sum(map(int, fields[11:15])) / _TICK
    return parents, spent


def _kind(pid: int, kinds: Sequence[tuple[str, str]]) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "other"
    return next((kind for word, kind in kinds if word in command), "other")


def per_request(before: dict[str, float], after: dict[str, float], requests: int) -> dict[str, float]:
    """Microseconds of processor time per request, by kind of process."""
    return {
        f"{kind}_us": round((after[kind] - before[kind]) * 1e6 / max(1, requests), 1)
        for kind in ("web", "postgres", "own")
    }

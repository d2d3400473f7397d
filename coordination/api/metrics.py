"""Counters for /metrics. Labels are bounded: route names, five status classes, two doors; never an id or an
address.
"""

from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_requests = Counter("interlock_requests", "Requests answered.", ["route", "status", "door"])
_seconds = Histogram(
    "interlock_request_seconds",
    "Time to answer on the hot routes, waits left out.",
    ["route"],
    buckets=_BUCKETS,
)
waiting = Gauge("interlock_waiting_requests", "Requests held open until there is an answer.")
streams = Gauge("interlock_open_streams", "Open event streams.")
pool_queued = Gauge("interlock_pool_queued", "Requests waiting for a thread of the hot doors.")
pool_running = Gauge("interlock_pool_running", "Requests on a thread of the hot doors.")


@lru_cache(maxsize=4096)
def _counter(route: str, status: int, door: str) -> Any:
    return _requests.labels(route, f"{status}xx", door)


@lru_cache(maxsize=512)
def _timer(route: str) -> Any:
    return _seconds.labels(route)


def count(route: str, status: int, door: str) -> None:
    """One request was answered."""
    _counter(route, status // 100, door).inc()


def time(route: str, seconds: float) -> None:
    """A hot route took this long."""
    _timer(route).observe(seconds)

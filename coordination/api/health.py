"""Is this process fit to serve? What /readyz answers."""

import logging
import time
from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage
from django.db import connection

from coordination.notify import hub
from coordination.selectors.health import sweeps
from tenants.checks import role_owns_nothing
from tenants.db import teamless
from tenants.problems import Problem

log = logging.getLogger("interlock.api")

_ROLE_SECONDS = 60.0
_role_good_until = 0.0


def readiness() -> tuple[int, dict[str, Any]]:
    """Status and body. 503 when requests could not be served; a missing Redis or late sweep only degrades.

    Blocks; runs on a thread of its own, whose connection it gives back.
    """
    try:
        checks = {"database": _guarded(_database), "isolation": _guarded(_isolation)}
        checks["redis"] = _guarded(_redis)
        late, rows = _sweeps() if checks["database"] == "ok" else ([], [])
    finally:
        connection.close()
    fatal = [name for name in ("database", "isolation") if checks[name] != "ok"]
    degraded = late or checks["redis"] != "ok"
    body = {
        "status": "unavailable" if fatal else ("degraded" if degraded else "ok"),
        "checks": checks,
        "late_sweeps": late,
        "sweeps": rows,
        "listening": hub.listening,
        "connections": {
            "hot_threads": settings.HOT_THREADS,
            "pool": _pool_size(),
            "listener": 1,
        },
    }
    return (503 if fatal else 200), body


def _pool_size() -> Any:
    options: Any = settings.DATABASES["default"]["OPTIONS"]
    return options.get("pool", {}).get("max_size")


def _guarded(check: Callable[[], str]) -> str:
    try:
        return check()
    except Problem as problem:
        return str(problem.code)
    except Exception as error:
        log.warning("readiness: %s", error)
        return "away"


def _database() -> str:
    with teamless(reason="readiness asks whether the database answers") as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _isolation() -> str:
    global _role_good_until  # noqa: PLW0603 - a role does not change by the second
    if time.monotonic() < _role_good_until:
        return "ok"
    found: list[CheckMessage] = role_owns_nothing(databases=["default"])
    if found:
        return "; ".join(str(message.msg) for message in found)
    _role_good_until = time.monotonic() + _ROLE_SECONDS
    return "ok"


def _redis() -> str:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
    try:
        client.ping()
    finally:
        client.close()
    return "ok"


def _sweeps() -> tuple[list[str], list[dict[str, Any]]]:
    try:
        rows = sweeps()
    except Problem:
        return [], []
    return [row["name"] for row in rows if row["late"]], rows

"""Seeing from outside where others stand, and standing in their way: a connection of its own, as the owner."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar

import psycopg

T = TypeVar("T")
SECONDS = 20.0
"""How long anything may take before a test gives up; nothing is timed."""


def until(condition: Callable[[], T], what: str = "it did not happen") -> T:
    """Wait for a condition, and answer what it was; fail saying what did not come."""
    deadline = time.monotonic() + SECONDS
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        pause.wait(0.003)
    return found


@contextmanager
def outside() -> Iterator["psycopg.Connection[Any]"]:
    """A connection of the owner of the tables, who sees all teams; each statement commits."""
    url = os.environ["MIGRATE_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True, application_name="test-outside") as connection:
        yield connection


@contextmanager
def holding(statement: LiteralString, *parameters: object) -> Iterator[None]:
    """Keep what a statement locks, until the end of the block."""
    with outside() as connection, connection.transaction():
        connection.execute(statement, parameters)
        yield


def blocked(names: list[str]) -> int:
    """How many connections of these processes stand at a lock."""
    return sum(state == "Lock" for state in _waits(names))


def _waits(names: list[str]) -> list[str | None]:
    url = os.environ["DATABASE_URL"]
    with _lock:
        kept = _kept.get(url)
        if kept is None or kept.closed:
            kept = _kept[url] = psycopg.connect(url, autocommit=True, application_name="test-watching")
        rows = kept.execute(
            "SELECT wait_event_type FROM pg_stat_activity WHERE application_name = ANY(%s)", [names]
        ).fetchall()
    return [row[0] for row in rows]


# One connection per process, for questions that are asked over and over.
_kept: dict[str, "psycopg.Connection[Any]"] = {}
_lock = threading.Lock()


def forget() -> None:
    """Close the connection kept for questions."""
    with _lock:
        while _kept:
            _kept.popitem()[1].close()

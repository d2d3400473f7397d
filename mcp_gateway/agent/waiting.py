"""Waiting in slices: shorter than what proxies cut off, resumed by the queue entry or the cursor."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from mcp_gateway.agent.context import Context
from mcp_gateway.agent.http import Answer, Refused, Unreachable
from mcp_gateway.agent.output import UserError, progress

SLICE = 45  # seconds; proxies commonly cut at 60
_SLACK = 15.0  # seconds an answer may come after the slice
_PASSING = frozenset({429, 502, 503, 504})


def for_entry(context: Context, entry: Mapping[str, Any], seconds: float) -> Answer:
    """What has become of a queue entry: 200 decided, 202 still waiting when the seconds are over, 409 refused."""
    told = f"waiting for {entry['id']}"

    def ask(left: int) -> Answer:
        where = f"queue/{entry['id']}"
        return context.call("GET", where, query={"wait_seconds": left}, timeout=left + _SLACK)

    return sliced(ask, seconds, lambda answer: answer.status != 202, told)


def for_inbox(context: Context, after: str | None, seconds: float) -> Answer:
    """The inbox, as soon as there is something in it, or when the seconds are over."""

    def ask(left: int) -> Answer:
        query = {"after": after, "wait_seconds": left}
        return context.call("GET", "inbox", query=query, timeout=left + _SLACK)

    return sliced(ask, seconds, lambda answer: answer.refused or bool(answer.body["items"]), "waiting for a message")


def sliced(ask: Callable[[int], Answer], seconds: float, done: Callable[[Answer], bool], told: str) -> Answer:
    """Ask in slices until the answer is final or the seconds are over; the last answer.

    A server that is away for a moment, or a proxy that cuts a request off, does not end the wait. What still stands
    in the way when the seconds are over is raised.
    """
    end = time.monotonic() + seconds
    trouble = 0
    try:
        while True:
            left = end - time.monotonic()
            progress(f"{told}, {max(0, round(left))} s left")
            try:
                answer = ask(max(0, min(SLICE, round(left))))
                trouble = 0
            except UserError as error:
                if not _passing(error) or end - time.monotonic() <= 0:
                    raise
                trouble += 1
                time.sleep(max(0.0, min(2.0**trouble / 4, 5.0, end - time.monotonic())))
                continue
            if done(answer) or end - time.monotonic() <= 0.5:
                return answer
    finally:
        progress("")


def _passing(error: UserError) -> bool:
    return isinstance(error, Unreachable) or (isinstance(error, Refused) and error.status in _PASSING)


@contextlib.contextmanager
def given_up(context: Context, entry_id: str) -> Iterator[None]:
    """While this waits, being interrupted or told to stop gives up the entry: nobody would take what it is granted."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, stop)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        with contextlib.suppress(UserError):
            left = cancel(context, entry_id)
            if not left.refused and left.body.get("claim"):  # granted a moment ago
                context.call("DELETE", f"claims/{left.body['claim']['id']}", timeout=10)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def cancel(context: Context, entry_id: str) -> Answer:
    """Give up an entry; what has become of it (it may have been granted a moment ago)."""
    return context.call("DELETE", f"queue/{entry_id}", timeout=10)

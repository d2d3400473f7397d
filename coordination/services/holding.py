"""Holding a read until there is something to answer: one shape for inbox, sync and events."""

from collections.abc import Callable, Collection
from dataclasses import replace

from coordination.services.results import Answer, Hold

_LOOK_AGAIN_S = 30.0


def until(
    look: Callable[[], Answer], *, ready: Callable[[Answer], bool], keys: Collection[str], seconds: int | None
) -> Answer:
    """Look; when the answer is not ready and the caller wants to wait, put a hold on it that looks again.

    ``keys`` may be filled by the first look.
    """
    answer = look()
    if not seconds or ready(answer):
        return answer
    limit = seconds

    def again() -> Answer:
        found = look()
        return found if ready(found) else replace(found, hold=hold)

    hold = Hold(frozenset(keys), limit, again, look, lambda: None, _LOOK_AGAIN_S)
    return replace(answer, hold=hold)

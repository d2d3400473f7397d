"""Lists in pages: ``limit`` and an opaque ``cursor`` (api.md, "Lists").

Ids sort by the time they were made, so the last one shown is where the next page begins.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from tenants import ids
from tenants.problems import invalid

LARGEST = 200
_T = TypeVar("_T")


def start(cursor: str | None) -> UUID | None:
    """The id after which a page begins, None for the first. A made-up cursor raises ``invalid``."""
    if cursor is None:
        return None
    after = ids.parse("cur", cursor)
    if after is None:
        raise invalid("cursor", "bad_cursor", "Send the next_cursor of the page before, or none.")
    return after


def check_limit(limit: int) -> int:
    """The limit, or Problem ``invalid`` outside 1 to 200."""
    if not 1 <= limit <= LARGEST:
        raise invalid("limit", "out_of_range", f"1 to {LARGEST}.")
    return limit


def page(
    rows: Sequence[_T], *, limit: int, key: Callable[[_T], UUID], show: Callable[[_T], dict[str, Any]]
) -> dict[str, Any]:
    """``{"items", "next_cursor"}`` from rows that were asked for with one more than ``limit``."""
    shown = rows[:limit]
    more = len(rows) > limit
    return {
        "items": [show(row) for row in shown],
        "next_cursor": ids.show("cur", key(shown[-1])) if more else None,
    }

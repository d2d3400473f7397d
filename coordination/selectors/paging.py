"""Pages: an opaque cursor, and one row more than asked for to know whether there is a next page."""

import base64
import binascii
from collections.abc import Callable
from typing import Any
from uuid import UUID

from tenants.db import Row
from tenants.problems import invalid


def cursor_id(cursor: str | None) -> UUID | None:
    """The id behind a page cursor; 422 for anything we did not make."""
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor.encode() + b"=="))
    except (ValueError, binascii.Error):
        raise invalid("cursor", "bad_cursor", "send back next_cursor as it was") from None


class Page:
    """Builds list answers."""

    @staticmethod
    def of(
        rows: list[Row], limit: int, show: Callable[[Row], dict[str, Any]], *, key: Callable[[Row], UUID]
    ) -> dict[str, Any]:
        """``items`` and ``next_cursor`` from up to ``limit + 1`` rows."""
        more = len(rows) > limit
        kept = rows[:limit]
        cursor = base64.urlsafe_b64encode(key(kept[-1]).bytes).rstrip(b"=").decode() if more else None
        return {"items": [show(row) for row in kept], "next_cursor": cursor}


def number_cursor(number: int) -> str:
    """An opaque cursor over a rising number."""
    return base64.urlsafe_b64encode(str(number).encode()).rstrip(b"=").decode()


def cursor_number(cursor: str | None) -> int:
    """The number behind such a cursor, 0 for none; 422 for anything we did not make."""
    if cursor is None:
        return 0
    try:
        number = int(base64.urlsafe_b64decode(cursor.encode() + b"=="))
    except (ValueError, binascii.Error):
        raise invalid("cursor", "bad_cursor", "send back next_cursor as it was") from None
    if not 0 <= number < 1 << 62:
        raise invalid("cursor", "bad_cursor", "send back next_cursor as it was")
    return number

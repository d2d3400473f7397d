"""The ledger as pages of events."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tenants import ledger
from tenants.db import Transaction, transaction
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.selectors.projects import project_resolve


def like(glob: str) -> str:
    """A type glob (``claim.*``) as a SQL LIKE pattern."""
    escaped = glob.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace("*", "%")


def page(
    tx: Transaction,
    project_id: UUID | None,
    *,
    after: int | None,
    limit: int,
    types: tuple[str, ...] = (),
    actor: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[str, Any]:
    """Events after a cursor, and the cursor to go on from; without ``after``, the latest ones."""
    oldest, last = ledger.head(tx, project_id)
    start = max(oldest - 1, last - limit) if after is None else after
    rows = ledger.read(
        tx,
        project_id,
        after=start,
        limit=limit,
        types=[like(glob) for glob in types],
        actor=actor,
        subject=subject,
        since=since,
        until=until,
    )
    # A page cut by its limit ends at its last row; else everything up to the head has been looked at. The head was
    # read first, so an event published in between is after it and comes with the next page.
    reached = rows[-1]["seq"] if len(rows) == limit else max(start, last, rows[-1]["seq"] if rows else 0)
    return {"items": [ledger.show(row) for row in rows], "cursor": str(reached), "last": str(last)}


def events_after(
    principal: Principal, project: str, after: int | None, limit: int = 200, types: tuple[str, ...] = ()
) -> dict[str, Any]:
    """One page for a stream: ``items``, and the ``cursor`` to go on from. ``after`` None starts at the head."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    with transaction(principal.team_id) as tx:
        if after is None:
            return {"items": [], "cursor": str(ledger.head(tx, ref.id)[1])}
        return page(tx, ref.id, after=after, limit=limit, types=types)

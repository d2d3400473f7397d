"""The queue as a list: who waits, in which place, for what."""

from typing import Any

from coordination.selectors import shapes
from coordination.selectors.paging import cursor_number, number_cursor
from coordination.store import queue, scenes
from tenants import ids
from tenants.db import transaction
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import invalid
from tenants.selectors.projects import project_resolve

STATES = ("waiting", "granted", "expired", "cancelled", "deadlocked")


def queue_list(
    principal: Principal,
    project: str,
    *,
    state: str | None = "waiting",
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Entries in the order they arrived."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    if state is not None and state not in STATES:
        raise invalid("state", "unknown", f"{state!r} is none of {', '.join(STATES)}")
    with transaction(principal.team_id) as tx:
        rows = queue.listed(tx, ref.id, state=state, after=cursor_number(cursor), limit=limit + 1)
        kept = rows[:limit]
        blockers = scenes.waited_for(tx, [row for row in kept if row["state"] == "waiting"])
        items = [
            shapes.entry(
                row,
                position=queue.position(tx, ref.id, row) if row["state"] == "waiting" else 0,
                waiting_for=[ids.show("clm", claim) for claim in blockers.get(row["id"], ())],
                granted=None,
            )
            for row in kept
        ]
    more = len(rows) > limit
    return {"items": items, "next_cursor": number_cursor(kept[-1]["arrival"]) if more else None}

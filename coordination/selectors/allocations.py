"""Allocated numbers as they are shown."""

from typing import Any

from coordination.selectors.paging import Page, cursor_id
from coordination.store import allocations
from tenants import ids
from tenants.db import Row, transaction
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.selectors.projects import project_resolve


def shown(row: Row) -> dict[str, Any]:
    """Allocation."""
    return {
        "id": ids.show("alo", row["id"]),
        "pool": row["pool"],
        "number": row["number"],
        "agent": row["agent_name"],
        "instance": ids.show("ins", row["holder_id"]),
        "repository": row["repository"],
        "host": row["host"] or None,
        "reason": row["reason"],
        "created_at": row["created_at"],
        "released_at": row["released_at"],
    }


def allocation_list(
    principal: Principal, project: str, *, pool: str | None = None, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """Held numbers, newest first."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    with transaction(principal.team_id) as tx:
        rows = allocations.listed(tx, ref.id, pool=pool, before=cursor_id(cursor), limit=limit + 1)
    return Page.of(rows, limit, shown, key=lambda row: row["id"])

"""Who am I: what a credential may do, and where."""

from typing import Any

from tenants.db import transaction
from tenants.principal import Principal


def me(principal: Principal) -> dict[str, Any]:
    """The principal as its owner sees it."""
    project = None
    if principal.project_id is not None:
        with transaction(principal.team_id) as tx:
            row = tx.run(
                "SELECT slug FROM tenants_project WHERE team_id = %s AND id = %s",
                [principal.team_id, principal.project_id],
            ).fetchone()
        project = row["slug"] if row else None
    return {
        "kind": principal.actor.kind,
        "id": principal.actor.id,
        "name": principal.actor.name,
        "team": principal.team_slug,
        "project": project,
        "agent": principal.agent,
        "scopes": sorted(principal.permissions),
        "instance": principal.instance,
    }

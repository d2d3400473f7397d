"""Who am I: what a credential may do, and where."""

from typing import Any

from tenants import ids
from tenants.db import transaction
from tenants.principal import Principal


def me(principal: Principal) -> dict[str, Any]:
    """The principal as its owner sees it. ``expires_at`` is its token's; people have none."""
    project, expires_at = None, None
    token = ids.parse("tok", principal.actor.id) if principal.actor.kind == "token" else None
    if principal.project_id is not None or token is not None:
        with transaction(principal.team_id) as tx:
            row = tx.run(
                "SELECT (SELECT slug FROM tenants_project WHERE team_id = %(team)s AND id = %(project)s) AS project,"
                " (SELECT expires_at FROM tenants_token WHERE team_id = %(team)s AND id = %(token)s) AS expires_at",
                {"team": principal.team_id, "project": principal.project_id, "token": token},
            ).fetchone()
        if row is not None:
            project, expires_at = row["project"], row["expires_at"]
    return {
        "kind": principal.actor.kind,
        "id": principal.actor.id,
        "name": principal.actor.name,
        "team": principal.team_slug,
        "project": project,
        "agent": principal.agent,
        "scopes": sorted(principal.permissions),
        "instance": principal.instance,
        "expires_at": expires_at,
    }

"""Instances and the roster: who is here."""

from typing import Any

from coordination.selectors import shapes
from coordination.selectors.paging import Page, cursor_id
from coordination.store import claims, instances
from tenants import ids
from tenants.db import transaction
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import invalid, not_found
from tenants.selectors.projects import project_resolve, repositories_of

HERE = ("active", "idle", "waiting", "stale")
STATUSES = (*HERE, "gone", "ended")


def instance_get(principal: Principal, project: str, instance_id: str) -> dict[str, Any]:
    """One instance; 404 for absent and foreign."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    found = ids.parse("ins", instance_id.partition(".")[0])
    with transaction(principal.team_id) as tx:
        row = instances.find(tx, ref.id, found) if found else None
    if row is None:
        raise not_found("instance")
    return shapes.instance(row)


def instance_list(
    principal: Principal,
    project: str,
    *,
    status: str | None = None,
    agent: str | None = None,
    capability: str | None = None,
    repository: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Instances, newest first; every status unless one is named."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    if status is not None and status not in STATUSES:
        raise invalid("status", "unknown", f"{status!r} is none of {', '.join(STATUSES)}")
    repository_id = None
    if repository is not None:
        known = repositories_of(principal, ref.id)
        if repository not in known:
            raise invalid("repository", "unknown_repository", f"no repository {repository!r} here")
        repository_id = known[repository].id
    with transaction(principal.team_id) as tx:
        rows = instances.listed(
            tx,
            ref.id,
            statuses=(status,) if status else (),
            agent=agent,
            capability=capability,
            repository_id=repository_id,
            before=cursor_id(cursor),
            limit=limit + 1,
        )
    return Page.of(rows, limit, shapes.instance, key=lambda row: row["id"])


def roster(principal: Principal, project: str, *, limit: int = 200) -> dict[str, Any]:
    """Who is here: each instance that has not ended or gone, with the claims of its holder. Two statements."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    with transaction(principal.team_id) as tx:
        here = instances.listed(
            tx,
            ref.id,
            statuses=HERE,
            agent=None,
            capability=None,
            repository_id=None,
            before=None,
            limit=limit,
        )
        held = claims.of_holders(tx, ref.id, list({row["root_id"] for row in here}))
    by_holder: dict[Any, list[dict[str, Any]]] = {}
    for row in held:
        by_holder.setdefault(row["holder_id"], []).append(
            {
                "id": ids.show("clm", row["id"]),
                "mode": row["mode"],
                "scopes": [scope["pattern"] for scope in row["scopes"][:10]],
                "expires_at": row["expires_at"],
            }
        )
    items = [shapes.instance(row) | {"claims": by_holder.get(row["root_id"], []), "wakeable": False} for row in here]
    return {"items": items, "total": len(items)}

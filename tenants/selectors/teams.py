"""Reads of the team itself."""

from typing import Any

from tenants.db import transaction
from tenants.models import Team
from tenants.permissions import Permission
from tenants.principal import Principal


def team_get(principal: Principal) -> dict[str, Any]:
    """The caller's team. Raises Problem ``forbidden`` without ``read``."""
    principal.require(Permission.READ)
    with transaction(principal.team_id):
        return team_show(Team.objects.get(id=principal.team_id))


def team_show(team: Team) -> dict[str, Any]:
    """The public shape of a team."""
    return {"slug": team.slug, "name": team.name, "created_at": team.created_at}

"""Tokens, members, roles."""

from coordination.api.call import Call
from coordination.api.handlers import gone, made, shown
from coordination.services.results import Answer
from tenants.permissions import ROLES
from tenants.selectors import people as member_selectors
from tenants.selectors import tokens as token_selectors
from tenants.services import members as member_services
from tenants.services import tokens as token_services


def token_list(call: Call) -> Answer:
    """Tokens, newest first."""
    query = call.query
    return shown(
        token_selectors.token_list(
            call.principal, limit=query.limit, cursor=query.cursor, active_only=query.active_only
        )
    )


def token_create(call: Call) -> Answer:
    """A new token; its secret is in this answer and nowhere else."""
    token = token_services.token_create(call.principal, **call.body.model_dump())
    return made(token, f"/api/v1/teams/{call.principal.team_slug}/tokens/{token['id']}")


def token_get(call: Call) -> Answer:
    """One token, without its secret."""
    return shown(token_selectors.token_get(call.principal, call.id))


def token_revoke(call: Call) -> Answer:
    """Make a token useless at once."""
    return shown(token_services.token_revoke(call.principal, call.id))


def member_list(call: Call) -> Answer:
    """Members, oldest first."""
    return shown(member_selectors.member_list(call.principal, limit=call.query.limit, cursor=call.query.cursor))


def member_add(call: Call) -> Answer:
    """Make somebody who can sign in here a member."""
    member = member_services.member_add(call.principal, email=call.body.email, role=call.body.role)
    return made(member, f"/api/v1/teams/{call.principal.team_slug}/members/{member['id']}")


def member_change(call: Call) -> Answer:
    """Give a member another role."""
    return shown(member_services.member_change(call.principal, call.id, role=call.body.role))


def member_remove(call: Call) -> Answer:
    """Take somebody out of the team."""
    member_services.member_remove(call.principal, call.id)
    return gone()


def role_list(call: Call) -> Answer:
    """The built-in roles, weakest first."""
    items = [{"name": name, "permissions": sorted(permissions)} for name, permissions in ROLES.items()]
    return shown({"items": items, "next_cursor": None})

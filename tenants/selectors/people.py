"""Reads of who belongs to a team."""

import re
from typing import Any

from tenants import ids, pages
from tenants.db import transaction
from tenants.models import Membership, Person
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import not_found

_PERSON = re.compile(r"per_([1-9]\d{0,17})")


def member_list(principal: Principal, *, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    """``{"items", "next_cursor"}``: the team's members, oldest first."""
    principal.require(Permission.MEMBERS_READ)
    after = pages.start(cursor)
    with transaction(principal.team_id):
        rows = Membership.objects.select_related("person").order_by("id")
        if after is not None:
            rows = rows.filter(id__gt=after)
        found = list(rows[: pages.check_limit(limit) + 1])
    return pages.page(found, limit=limit, key=lambda row: row.id, show=member_show)


def member_get(principal: Principal, member_id: str) -> dict[str, Any]:
    """One member by id (``mem_…``). Raises Problem ``not_found``."""
    principal.require(Permission.MEMBERS_READ)
    key = ids.parse("mem", member_id)
    with transaction(principal.team_id):
        found = Membership.objects.select_related("person").filter(id=key).first() if key else None
    if found is None:
        raise not_found("member")
    return member_show(found)


def member_show(member: Membership) -> dict[str, Any]:
    """The public shape of a member."""
    return {
        "id": member.public_id,
        "person": person_show(member.person),
        "role": member.role,
        "created_at": member.created_at,
    }


def person_show(person: Person) -> dict[str, Any]:
    """The public shape of a person, as their teammates see them."""
    return {"id": f"per_{person.pk}", "name": person.name, "email": person.email}


def person_number(public_id: str) -> int | None:
    """The key behind ``per_12``, or None where the text is no such id."""
    match = _PERSON.fullmatch(public_id)
    return int(match[1]) if match else None

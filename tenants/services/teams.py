"""Making a team: the one service that comes before there is a principal."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db import transaction as django_transaction

from tenants import ids, ledger
from tenants.db import Transaction, teamless, transaction
from tenants.ledger import Fact
from tenants.models import Membership, Person, Team
from tenants.names import RESERVED_TEAMS, check_name, check_slug, taken
from tenants.permissions import ROLES
from tenants.principal import Actor, Principal
from tenants.selectors.teams import team_show


def team_create(
    *, name: str, slug: str, owner: Person, door: str = "dashboard", team_id: UUID | None = None
) -> dict[str, Any]:
    """A new team with its first owner (platform.md, "Teams, projects, people"). ``owner`` is stored already.

    Raises Problem ``invalid`` for a bad or reserved slug, ``already_exists`` for one that is taken.
    ``team_id`` lets a caller make the team inside a transaction of that id, together with more.
    """
    check_slug(slug, reserved=RESERVED_TEAMS)
    team = Team(id=team_id or ids.new_id(), slug=slug, name=check_name(name))
    with teamless(reason="a slug is taken or free over all teams") as cursor:
        row = cursor.execute("SELECT interlock_team_slug_taken(%s) AS taken", [slug]).fetchone()
    if row is None or row["taken"]:
        raise taken("team", slug)
    principal = owner_principal(team, owner, door=door)
    with transaction(team.id) as tx:
        _insert(tx, team, owner, principal)
    return team_show(team)


def owner_principal(team: Team, owner: Person, *, door: str) -> Principal:
    """The first owner acting on the team they just made."""
    return Principal(
        team_id=team.id,
        team_slug=team.slug,
        actor=Actor("person", f"per_{owner.pk}", str(owner)),
        permissions=ROLES["owner"],
        person_id=owner.pk,
        door=door,
    )


def _insert(tx: Transaction, team: Team, owner: Person, principal: Principal) -> None:
    try:
        with django_transaction.atomic():
            team.save(force_insert=True)
    except IntegrityError:  # two asked for the same free name at once
        raise taken("team", team.slug) from None
    member = Membership.objects.create(team_id=team.id, person=owner, role="owner")
    data = {"person": principal.actor.id, "role": "owner"}
    ledger.record(
        tx,
        principal,
        Fact("team.created", "team", team.slug, {"name": team.name}),
        Fact("member.added", "member", member.public_id, data),
    )

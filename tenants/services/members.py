"""Who belongs to a team, and as what (platform.md, "Teams, projects, people")."""

from typing import Any

from django.db import IntegrityError
from django.db import transaction as django_transaction

from tenants import ids, ledger
from tenants.db import Transaction, transaction
from tenants.ledger import Fact
from tenants.models import Membership, Person, Token
from tenants.names import check_email
from tenants.permissions import ROLES, Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem, invalid, not_found
from tenants.selectors.people import member_show
from tenants.services.access import require_no_escalation, require_team_wide
from tenants.services.tokens import announce, revoke


def member_add(principal: Principal, *, email: str, role: str = "member") -> dict[str, Any]:
    """Make somebody who can sign in here a member.

    Raises Problem ``forbidden`` without ``members.manage`` or for a role above one's own, ``invalid`` where
    nobody signs in with that address, ``already_exists`` for a member.
    """
    _require_manage(principal)
    _require_grantable(principal, role)
    address = check_email(email)
    person = Person.objects.filter(email=address, is_active=True).first()
    if person is None:
        raise invalid("email", "unknown_person", "Nobody signs in here with that address yet.")
    row = Membership(team_id=principal.team_id, person=person, role=role)
    with transaction(principal.team_id) as tx:
        try:
            with django_transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise Problem(Code.ALREADY_EXISTS, f"{address} is a member already.", field="email") from None
        _record(tx, principal, "member.added", row, {"role": role})
    return member_show(row)


def member_change(principal: Principal, member_id: str, *, role: str) -> dict[str, Any]:
    """Give a member another role; it holds from their next request on, their personal tokens included.

    Raises Problem ``last_owner``, ``forbidden`` (also for a member above oneself), ``invalid``,
    ``not_found``.
    """
    _require_manage(principal)
    _require_grantable(principal, role)
    with transaction(principal.team_id) as tx:
        row, owners = _lock_all(member_id)
        require_no_escalation(principal, ROLES.get(row.role, frozenset()))
        if row.role != role:
            if row.role == "owner" and owners == 1:
                raise Problem(Code.LAST_OWNER)
            before, row.role = row.role, role
            row.save(update_fields=["role"])
            _record(tx, principal, "member.changed", row, {"changes": {"role": [before, role]}})
            _narrow_tokens(tx, principal, row, ROLES[role])
    return member_show(row)


def member_remove(principal: Principal, member_id: str) -> None:
    """Take somebody out of the team: their next request finds no such team, and their personal tokens end
    now.

    Members may remove themselves. Raises Problem ``last_owner``, ``forbidden``, ``not_found``.
    """
    require_team_wide(principal)
    with transaction(principal.team_id) as tx:
        row, owners = _lock_all(member_id)
        if row.person_id != principal.person_id:
            principal.require(Permission.MEMBERS_MANAGE)
            require_no_escalation(principal, ROLES.get(row.role, frozenset()))
        if row.role == "owner" and owners == 1:
            raise Problem(Code.LAST_OWNER)
        _record(tx, principal, "member.removed", row, {"role": row.role})
        _narrow_tokens(tx, principal, row, frozenset())
        row.delete()


def _require_manage(principal: Principal) -> None:
    principal.require(Permission.MEMBERS_MANAGE)
    require_team_wide(principal)


def _require_grantable(principal: Principal, role: str) -> None:
    if role not in ROLES:
        raise invalid("role", "unknown", f"One of {', '.join(ROLES)}.")
    require_no_escalation(principal, ROLES[role])


def _lock_all(member_id: str) -> tuple[Membership, int]:
    """The row, and how many owners there are, with all rows of the team locked.

    Two owners who remove each other at once must meet: locking only the row at stake would let both go.
    """
    key = ids.parse("mem", member_id)
    rows = list(Membership.objects.select_for_update(no_key=True, of=("self",)).select_related("person").order_by("id"))
    for row in rows:
        if row.id == key:
            return row, sum(1 for other in rows if other.role == "owner")
    raise not_found("member")


def _narrow_tokens(tx: Transaction, principal: Principal, member: Membership, allowed: frozenset[Permission]) -> None:
    """A personal token never can more than its person: narrow it, or revoke it when nothing is left."""
    mine = Token.objects.filter(kind="personal", created_by=f"per_{member.person_id}", revoked_at=None)
    for token in mine.select_for_update(no_key=True).order_by("id"):
        left = sorted(set(token.permissions) & allowed)
        if not left:
            revoke(tx, principal, token, why="its person lost the role")
        elif left != sorted(token.permissions):
            changes = {"permissions": [sorted(token.permissions), left]}
            token.permissions = left
            token.save(update_fields=["permissions"])
            ledger.record(tx, principal, Fact("token.changed", "token", token.public_id, {"changes": changes}))
            announce(tx, token.id)


def _record(tx: Transaction, principal: Principal, kind: str, row: Membership, data: dict[str, Any]) -> None:
    person = {"person": f"per_{row.person_id}", "name": str(row.person)}
    ledger.record(tx, principal, Fact(kind, "member", row.public_id, person | data))

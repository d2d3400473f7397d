"""Reads of a team's tokens. The secret is not among them: only its digest is stored."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from tenants import ids, pages
from tenants.db import Transaction, transaction
from tenants.models import Person, Token
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import not_found
from tenants.selectors.people import person_number


def token_list(
    principal: Principal, *, limit: int = 50, cursor: str | None = None, active_only: bool = False
) -> dict[str, Any]:
    """``{"items", "next_cursor"}``: the team's tokens, newest first; for a bound credential its project's."""
    principal.require(Permission.TOKENS_MANAGE)
    after = pages.start(cursor)
    with transaction(principal.team_id) as tx:
        now = clock(tx)
        rows = Token.objects.select_related("project").order_by("-id")
        if principal.project_id is not None:
            rows = rows.filter(project_id=principal.project_id)
        if active_only:
            rows = rows.filter(revoked_at=None).exclude(expires_at__lte=now)
        if after is not None:
            rows = rows.filter(id__lt=after)
        found = list(rows[: pages.check_limit(limit) + 1])
        names = makers(token.created_by for token in found)
    return pages.page(
        found, limit=limit, key=lambda row: row.id, show=lambda row: token_show(row, now=now, names=names)
    )


def token_get(principal: Principal, token_id: str) -> dict[str, Any]:
    """One token by its id (``tok_…``). Raises Problem ``not_found``."""
    principal.require(Permission.TOKENS_MANAGE)
    with transaction(principal.team_id) as tx:
        token = token_find(principal, token_id)
        return token_show(token, now=clock(tx), names=makers([token.created_by]))


def token_find(principal: Principal, token_id: str, *, lock: bool = False) -> Token:
    """The row behind a public id, inside the caller's transaction. Raises Problem ``not_found``."""
    key = ids.parse("tok", token_id)
    rows = Token.objects.select_for_update(no_key=True) if lock else Token.objects.select_related("project")
    found = rows.filter(id=key).first() if key else None
    if found is None or principal.project_id not in (None, found.project_id):
        raise not_found("token")
    return found


def clock(tx: Transaction) -> datetime:
    """The database's time now, which alone decides what has expired."""
    row = tx.run("SELECT clock_timestamp() AS now").fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now


def makers(created_by: Iterable[str]) -> dict[str, str]:
    """Names of whoever made tokens, by public id, in two questions."""
    wanted = set(created_by)
    people = {number for number in map(person_number, wanted) if number is not None}
    tokens = {key for key in (ids.parse("tok", who) for who in wanted) if key is not None}
    found = Person.objects.filter(pk__in=people) if people else ()
    names = {f"per_{person.pk}": str(person) for person in found}
    if tokens:
        names |= {token.public_id: token.name for token in Token.objects.filter(id__in=tokens)}
    return names


def token_show(token: Token, *, now: datetime, names: dict[str, str]) -> dict[str, Any]:
    """The public shape of a token. ``state`` is active, expired or revoked."""
    state = "active"
    if token.revoked_at is not None:
        state = "revoked"
    elif token.expires_at is not None and token.expires_at <= now:
        state = "expired"
    project: UUID | None = token.project_id
    return {
        "id": token.public_id,
        "name": token.name,
        "kind": token.kind,
        "hint": token.hint,
        "state": state,
        "permissions": sorted(token.permissions),
        "project": token.project.slug if project is not None else None,
        "agent": token.agent,
        "created_by": {"id": token.created_by, "name": names.get(token.created_by, "")},
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
        "last_used_from": token.last_used_from,
    }

"""Making and revoking tokens (platform.md, "Tokens"). A secret is answered once and never stored."""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tenants import auth, ledger, tokens
from tenants.db import Transaction, transaction
from tenants.ledger import Fact
from tenants.models import Token
from tenants.names import check_name
from tenants.permissions import PRESETS, Permission
from tenants.principal import Principal
from tenants.problems import invalid
from tenants.selectors.projects import ProjectRef, project_resolve
from tenants.selectors.tokens import clock, makers, token_find, token_show
from tenants.services.access import refused, require_no_escalation

_LONGEST_SECONDS = 10 * 366 * 24 * 3600
_AGENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9])?")


def token_create(
    principal: Principal,
    *,
    name: str,
    kind: str = "agent",
    preset: str | None = None,
    permissions: Sequence[str] | None = None,
    project: str | None = None,
    agent: str | None = None,
    expires_in_seconds: int | None = None,
) -> dict[str, Any]:
    """A new token; its ``secret`` is in this answer and nowhere else.

    Either a ``preset`` or ``permissions``; ``project`` and ``agent`` bind it. Raises Problem ``forbidden`` without
    ``tokens.manage`` or naming what the maker lacks and would grant; ``invalid``; ``not_found`` for the project.
    """
    principal.require(Permission.TOKENS_MANAGE)
    granted = _permissions(preset, permissions)
    require_no_escalation(principal, granted)
    bound = _binding(principal, kind=kind, project=project, agent=agent)
    _check_expiry(expires_in_seconds)
    secret = tokens.mint(kind)
    with transaction(principal.team_id) as tx:
        now = clock(tx)
        row = Token.objects.create(
            team_id=principal.team_id,
            name=check_name(name),
            kind=kind,
            digest=secret.digest,
            hint=secret.hint,
            permissions=sorted(granted),
            project_id=bound.id if bound else None,
            agent=agent,
            created_by=principal.actor.id,
            expires_at=_expiry(now, expires_in_seconds),
        )
        data = {"name": row.name, "permissions": row.permissions, "project": project, "agent": agent}
        ledger.record(tx, principal, Fact("token.created", "token", row.public_id, data))
        shown = token_show(row, now=now, names=makers([row.created_by]))
    return shown | {"secret": secret.text}


def token_revoke(principal: Principal, token_id: str) -> dict[str, Any]:
    """Make a token useless at once in every process. Revoking twice changes nothing.

    Raises Problem ``forbidden`` without ``tokens.manage``, ``not_found``.
    """
    principal.require(Permission.TOKENS_MANAGE)
    with transaction(principal.team_id) as tx:
        row = token_find(principal, token_id, lock=True)
        if row.revoked_at is None:
            revoke(tx, principal, row)
        return token_show(row, now=clock(tx), names=makers([row.created_by]))


def revoke(tx: Transaction, principal: Principal, row: Token, *, why: str = "") -> None:
    """Revoke a locked row inside the caller's transaction; every process forgets it after the commit."""
    row.revoked_at = clock(tx)
    row.save(update_fields=["revoked_at"])
    data = {"name": row.name} | ({"why": why} if why else {})
    ledger.record(tx, principal, Fact("token.revoked", "token", row.public_id, data))
    announce(tx, row.id)


def announce(tx: Transaction, token_id: UUID) -> None:
    """Tell every process to forget what it believes of a token. Unlike a wake this must not be lost, so the
    NOTIFY is part of the transaction; revocations are rare enough for its lock."""
    tx.run("SELECT pg_notify('interlock', %s)", [json.dumps([f"token:{token_id}"])])
    tx.after_commit(lambda: auth.forget_token(token_id))


def _permissions(preset: str | None, permissions: Sequence[str] | None) -> frozenset[Permission]:
    if (preset is None) == (permissions is None):
        raise invalid("preset", "one_of", "Give either a preset or a list of permissions.")
    if preset is not None:
        if preset not in PRESETS:
            raise invalid("preset", "unknown", f"One of {', '.join(PRESETS)}.")
        return PRESETS[preset]
    assert permissions is not None
    known = {str(item) for item in Permission}
    unknown = sorted({str(item) for item in permissions} - known)
    if unknown or not permissions:
        raise invalid("permissions", "unknown", f"At least one of {', '.join(sorted(known))}.")
    return frozenset(Permission(item) for item in permissions)


def _binding(principal: Principal, *, kind: str, project: str | None, agent: str | None) -> ProjectRef | None:
    """The project it is bound to. A bound credential only makes tokens with the same binding."""
    if kind not in tokens.KINDS:
        raise invalid("kind", "unknown", f"One of {', '.join(tokens.KINDS)}.")
    if kind == "personal" and principal.person_id is None:
        raise invalid("kind", "not_a_person", "A personal token belongs to a person; make an agent one.")
    if agent is not None and not _AGENT.fullmatch(agent):
        raise invalid("agent", "bad_name", "1 to 80 of letters, digits and . _ -, such as backend-codex.")
    bound = None if project is None else project_resolve(principal, project)
    if principal.project_id is not None and bound is None:
        raise refused("This credential is bound to one project; bind the new token to it, too.")
    if principal.agent is not None and principal.agent != agent:
        raise refused(f"This credential is bound to agent {principal.agent}; bind the new token to it, too.")
    return bound


def _check_expiry(seconds: int | None) -> None:
    if seconds is not None and not 1 <= seconds <= _LONGEST_SECONDS:
        raise invalid("expires_in_seconds", "out_of_range", f"1 to {_LONGEST_SECONDS}, or null for never.")


def _expiry(now: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)

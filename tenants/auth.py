"""Credential to Principal: the only place where tokens are compared. Every door comes through here."""

import threading
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenants import ids, tokens
from tenants.db import teamless, transaction
from tenants.permissions import ROLES, Permission
from tenants.principal import Actor, Principal
from tenants.problems import Code, Problem, not_found

# A checked token is believed this long without asking again. Revocation does not wait for it: it is announced
# (NOTIFY) and every process forgets the token at once; the time only bounds a process that cannot hear.
CACHE_SECONDS = 5.0
_CACHE_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    believed_until: float
    expires: float | None


_known: dict[bytes, _Known] = {}
_used: dict[UUID, tuple[UUID, str]] = {}
_lock = threading.Lock()
_forgotten = 0


def principal_for_token(text: str, *, door: str = "rest", address: str = "") -> Principal:
    """The principal behind a bearer token. Raises 401 with the reason: malformed, unknown, expired, revoked."""
    if not tokens.well_formed(text):
        raise _unauthenticated("This is no token of ours: its checksum does not fit. Look for a typo.")
    digest = tokens.digest(text)
    known = _known.get(digest)
    if known is None or known.believed_until < time.monotonic():
        known = _look_up(digest)
    if known.expires is not None and known.expires <= time.monotonic():
        raise _unauthenticated(code=Code.TOKEN_EXPIRED)
    principal = known.principal
    assert principal.token_id is not None
    _used[principal.token_id] = (principal.team_id, address)
    return principal.acting(door=door, address=address)


def _look_up(digest: bytes) -> _Known:
    heard = _forgotten
    with teamless(reason="a token is looked up before its team is known") as cursor:
        row = cursor.execute("SELECT * FROM interlock_token(%s)", [digest]).fetchone()
    if row is None:
        raise _unauthenticated("This token is unknown here. Ask an admin of your team for a new one.")
    if row["revoked_at"] is not None:
        raise _unauthenticated(code=Code.TOKEN_REVOKED)
    principal = Principal(
        team_id=row["team_id"],
        team_slug=row["team_slug"],
        actor=Actor("token", ids.show("tok", row["id"]), row["name"]),
        permissions=frozenset(Permission(p) for p in row["permissions"]),
        project_id=row["project_id"],
        agent=row["agent"],
        token_id=row["id"],
    )
    # The database's clock says how long is left; this machine's only counts it down.
    left = None if row["expires_at"] is None else (row["expires_at"] - row["now"]).total_seconds()
    now = time.monotonic()
    known = _Known(principal, now + CACHE_SECONDS, None if left is None else now + left)
    with _lock:
        if len(_known) >= _CACHE_SIZE:
            _known.clear()
        if heard == _forgotten:  # else a revocation was heard after this was read: ask again next time
            _known[digest] = known
    return known


def forget_token(token_id: UUID | None = None) -> None:
    """Drop a token (or all) from this process's memory: called for a revocation heard, or when hearing broke."""
    global _forgotten  # noqa: PLW0603 - counts what this process heard
    with _lock:
        _forgotten += 1
        for digest in [d for d, k in _known.items() if token_id is None or k.principal.token_id == token_id]:
            del _known[digest]


def take_used() -> dict[UUID, tuple[UUID, str]]:
    """Tokens used since the last call, with team and address; the presence flusher writes them down."""
    global _used
    used, _used = _used, {}
    return used


def teams_of(person_id: int) -> list[dict[str, Any]]:
    """The teams a person belongs to: team_id, slug, name, role."""
    with teamless(reason="a person's teams are listed before one is chosen") as cursor:
        return cursor.execute("SELECT * FROM interlock_teams_of(%s)", [person_id]).fetchall()


def principal_for_person(person: Any, team_slug: str, *, door: str = "dashboard", address: str = "") -> Principal:
    """The principal of a signed-in person in one of their teams; 404 for any other team."""
    for team in teams_of(person.pk):
        if team["slug"] == team_slug:
            return Principal(
                team_id=team["team_id"],
                team_slug=team_slug,
                actor=Actor("person", f"per_{person.pk}", str(person)),
                permissions=ROLES.get(team["role"], frozenset()),
                person_id=person.pk,
                door=door,
                address=address,
            )
    raise not_found("team")


def _unauthenticated(detail: str = "", code: Code = Code.UNAUTHENTICATED) -> Problem:
    return Problem(code, detail, headers={"WWW-Authenticate": 'Bearer realm="interlock"'})


def write_used() -> None:
    """Write down when and from where tokens were last used; called by the presence flusher."""
    by_team: dict[UUID, list[tuple[UUID, str]]] = {}
    for token_id, (team_id, address) in take_used().items():
        by_team.setdefault(team_id, []).append((token_id, address))
    for team_id, used in by_team.items():
        with transaction(team_id) as tx:
            tx.run(
                "UPDATE tenants_token t SET last_used_at = clock_timestamp(), last_used_from = u.address"
                " FROM unnest(%s::uuid[], %s::text[]) AS u(id, address) WHERE t.team_id = %s AND t.id = u.id",
                [[token for token, _ in used], [address for _, address in used], team_id],
            )

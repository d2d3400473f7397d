"""Who may hand out what: checks that several services share."""

from collections.abc import Iterable

from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem


def refused(detail: str) -> Problem:
    """The 403 for what no further permission would open."""
    return Problem(Code.FORBIDDEN, detail, needs=[], lacks=[])


def require_team_wide(principal: Principal) -> None:
    """Raise 403 for a credential bound to one project: it has no say in what belongs to the whole team."""
    if principal.project_id is not None:
        raise refused(f"This belongs to the whole team; {principal.actor.name} is bound to one project.")


def require_no_escalation(principal: Principal, granted: Iterable[str]) -> None:
    """Raise 403 naming every permission that the caller would give away without having it."""
    lacks = sorted(set(granted) - principal.permissions)
    if lacks:
        raise Problem(
            Code.FORBIDDEN,
            f"Nobody can grant what they lack: {principal.actor.name} lacks {', '.join(lacks)}.",
            needs=sorted(Permission(item) for item in granted),
            lacks=lacks,
        )


def require_version(stored: int, expected: int | None) -> None:
    """Raise 412 where the caller saw another version than the stored one; None does not care."""
    if expected is not None and expected != stored:
        raise Problem(Code.PRECONDITION_FAILED, f"It is at version {stored}, not {expected}.", version=stored)

"""Who is asking and for whom: the first argument of every service and selector."""

from dataclasses import dataclass, field, replace
from uuid import UUID

from tenants.permissions import Permission
from tenants.problems import Code, Problem


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: ``kind`` is person, token or worker; ``id`` its public id; ``name`` for display only."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Principal:
    """A credential that was checked, and the tenant it speaks for.

    ``project_id`` is set where the credential is bound to one project; ``agent`` where it is bound to one agent
    name. ``door`` is how the call came in (rest, mcp, dashboard, worker). ``instance`` and ``epoch`` name the acting
    run as the caller gave it, unchecked: services look it up inside this principal's team.
    """

    team_id: UUID
    team_slug: str
    actor: Actor
    permissions: frozenset[Permission]
    project_id: UUID | None = None
    agent: str | None = None
    token_id: UUID | None = None
    person_id: int | None = None
    door: str = "rest"
    instance: str | None = None
    request_id: str = ""
    address: str = ""
    extra: dict[str, str] = field(default_factory=dict, compare=False, hash=False)

    def allows(self, *needed: Permission) -> bool:
        """Whether every permission named is there."""
        return self.permissions.issuperset(needed)

    def require(self, *needed: Permission) -> None:
        """Raise 403 naming everything that is needed, unless all of it is there."""
        if not self.permissions.issuperset(needed):
            missing = sorted(set(needed) - self.permissions)
            raise Problem(
                Code.FORBIDDEN,
                f"This needs {', '.join(sorted(needed))}; {self.actor.name} lacks {', '.join(missing)}.",
                needs=sorted(needed),
                lacks=missing,
            )

    def acting(self, **changes: object) -> "Principal":
        """The same principal with other request details (door, instance, request id, address)."""
        return replace(self, **changes)  # type: ignore[arg-type]

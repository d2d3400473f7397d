"""Teams, credentials and runs for tests: every test makes its own team, so tests are apart as customers are."""

import secrets
import threading
from dataclasses import dataclass
from uuid import UUID

from coordination.services import claims, instances
from coordination.services.requests import ClaimRequest, ScopeRequest
from coordination.services.results import Answer
from tenants import ids, ledger, tokens
from tenants.db import transaction
from tenants.models import Project, Repository, Team, Token
from tenants.permissions import PRESETS, ROLES, Permission
from tenants.principal import Actor, Principal


@dataclass(frozen=True)
class Place:
    """A fresh team with one project and one repository, both called ``main``."""

    team_id: UUID
    slug: str
    project_id: UUID
    repository_id: UUID
    project: str = "main"

    @property
    def owner(self) -> Principal:
        """A principal that may do everything."""
        return Principal(
            self.team_id, self.slug, Actor("person", f"per_{self.slug}", "Olive Owner"), frozenset(Permission)
        )

    def token(self, *permissions: Permission, preset: str = "agent", agent: str | None = None) -> str:
        """A stored token; its secret."""
        kind = "agent"
        secret = tokens.mint(kind)
        with transaction(self.team_id):
            Token.objects.create(
                team_id=self.team_id,
                name=f"test {preset}",
                kind=kind,
                digest=secret.digest,
                hint=secret.hint,
                permissions=sorted(permissions or PRESETS[preset]),
                agent=agent,
            )
        return secret.text

    def agent(self, name: str, **said: object) -> Principal:
        """A registered run of an agent with a credential of its own, as the principal that acts for it."""
        actor = Actor("token", ids.show("tok", ids.new_id()), f"{name}'s token")
        principal = Principal(self.team_id, self.slug, actor, PRESETS["agent"])
        answer = instances.register(principal, self.project, agent=name, **said)  # type: ignore[arg-type]
        return principal.acting(instance=answer.body["handle"])

    def publish(self) -> None:
        """Number what the project's ledger has; whoever has the publisher's turn just now is waited for."""
        while ledger.publish(self.team_id, self.project_id) is None:
            threading.Event().wait(0.01)

    def set_policy(self, **policy: object) -> None:
        """Change the project's policy."""
        with transaction(self.team_id):
            Project.objects.filter(id=self.project_id).update(**policy)


def make_place(*, case_insensitive: bool = False) -> Place:
    """A fresh team."""
    slug = "t-" + secrets.token_hex(6)
    team_id = ids.new_id()
    with transaction(team_id):
        Team.objects.create(id=team_id, slug=slug, name=slug)
        project = Project.objects.create(team_id=team_id, slug="main", name="Main")
        repository = Repository.objects.create(
            team_id=team_id, project=project, slug="main", is_default=True, case_insensitive=case_insensitive
        )
    return Place(team_id, slug, project.id, repository.id)


def claim(principal: Principal, *paths: str, project: str = "main", **terms: object) -> Answer:
    """Claim some paths."""
    scopes = tuple(ScopeRequest(path, literal_syntax=True) for path in paths)
    return claims.claim(principal, project, ClaimRequest(scopes, **terms))  # type: ignore[arg-type]


__all__ = ["ROLES", "Place", "claim", "make_place"]

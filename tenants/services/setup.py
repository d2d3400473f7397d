"""What a deployment starts with, and what its operator makes: people and teams from the command line."""

import secrets
from typing import Any

from tenants import ids
from tenants.db import Transaction, transaction
from tenants.models import Person, Team
from tenants.names import check_email
from tenants.services.projects import project_create
from tenants.services.teams import owner_principal, team_create
from tenants.services.tokens import token_create

# One key of our own for "who sets this deployment up": two that start at once take turns.
_LOCK = 0x1E7E_10C4
_PATIENCE = "60s"
_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"


def deployment_bootstrap(*, admin_email: str) -> dict[str, Any]:
    """Make the first team, project, repository, owner and agent token, unless there is a team already.

    All of it in one transaction under a lock, so it may run twice at once and be killed anywhere.
    ``admin_password`` and ``agent_token`` are in the answer that created them and nowhere else.
    """
    team_id = ids.new_id()
    with transaction(team_id) as tx:
        _take_turn(tx)
        row = tx.run("SELECT team, project, owner_email FROM interlock_first_team()").fetchone()
        if row is not None:
            names = {"team": row["team"], "project": row["project"], "admin_email": row["owner_email"]}
            return names | {"created": False}
        person, password = person_ensure(email=admin_email, name="Admin")
        team_create(name="Demo team", slug="demo", owner=person, door="command", team_id=team_id)
        principal = owner_principal(Team(id=team_id, slug="demo"), person, door="command")
        project_create(principal, slug="main", name="Main", repository="main")
        token = token_create(principal, name="First agent", preset="agent", project="main")
    made = {"team": "demo", "project": "main", "admin_email": person.email, "created": True}
    return made | ({"admin_password": password} if password else {}) | {"agent_token": token["secret"]}


def team_set_up(*, slug: str, name: str, owner_email: str, project: str | None = None) -> dict[str, Any]:
    """The operator's way to a new team. ``owner_password`` is answered where the owner is new here.

    Raises Problem ``invalid`` and ``already_exists``; then nothing is made, the person neither.
    """
    team_id = ids.new_id()
    with transaction(team_id):
        person, password = person_ensure(email=owner_email)
        made = team_create(name=name or slug, slug=slug, owner=person, door="command", team_id=team_id)
        if project is not None:
            principal = owner_principal(Team(id=team_id, slug=slug), person, door="command")
            project_create(principal, slug=project, repository="main")
    answer = {"team": made["slug"], "project": project, "owner_email": person.email}
    return answer | ({"owner_password": password} if password else {})


def person_ensure(*, email: str, name: str = "") -> tuple[Person, str | None]:
    """The person with that address; made with a generated password, which is answered only then."""
    address = check_email(email)
    found = Person.objects.filter(email=address).first()
    if found is not None:
        return found, None
    password = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
    return Person.objects.create_user(address, password, name=name), password


def _take_turn(tx: Transaction) -> None:
    tx.run("SELECT set_config('lock_timeout', %s, true)", [_PATIENCE])
    tx.run("SELECT pg_advisory_xact_lock(%s)", [_LOCK])

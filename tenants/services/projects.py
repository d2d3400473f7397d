"""Making and changing projects."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError
from django.db import transaction as django_transaction

from tenants import hooks, ledger
from tenants.db import Transaction, transaction
from tenants.ledger import Fact
from tenants.models import Project
from tenants.names import RESERVED_PROJECTS, check_name, check_slug, taken
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, FieldError, Problem, not_found
from tenants.selectors import projects as selectors
from tenants.services.access import require_team_wide, require_version
from tenants.services.repositories import insert_repository

_MONTH = 30 * 24 * 3600
# The largest value of each policy; 0 means no such limit everywhere (claims.md, "Limits").
_LARGEST: Mapping[str, int] = {
    "idle_limit_seconds": _MONTH,
    "grace_seconds": _MONTH,
    "max_ttl_seconds": _MONTH,
    "max_claims_per_agent": 1_000_000,
    "max_queued_per_agent": 1_000_000,
}


def project_create(
    principal: Principal, *, slug: str, name: str = "", repository: str | None = None, remote: str = ""
) -> dict[str, Any]:
    """A new project; with a first repository when its slug is given.

    Raises Problem ``forbidden`` without ``projects.manage``, ``invalid``, ``already_exists``.
    """
    principal.require(Permission.PROJECTS_MANAGE)
    require_team_wide(principal)
    check_slug(slug, reserved=RESERVED_PROJECTS)
    row = Project(team_id=principal.team_id, slug=slug, name=check_name(name or slug))
    with transaction(principal.team_id) as tx:
        try:
            with django_transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise taken("project", slug) from None
        fact = Fact("project.created", "project", row.public_id, {"slug": slug, "name": row.name})
        ledger.record(tx, principal, fact, project_id=row.id)
        if repository is not None:
            insert_repository(tx, principal, project_id=row.id, slug=repository, remote=remote)
    return selectors.project_show(row)


def project_change(
    principal: Principal,
    slug: str,
    *,
    expected_version: int | None = None,
    name: str | None = None,
    policy: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Change a project's name or policy fields (the keys of ``selectors.projects.POLICY``).

    Raises Problem ``precondition_failed`` where ``expected_version`` is not the stored one, ``forbidden``
    without ``projects.manage`` for the name or ``policy.edit`` for policy, ``invalid``, ``not_found``.
    """
    needed = {Permission.PROJECTS_MANAGE} if name is not None or not policy else set()
    principal.require(*needed, *({Permission.POLICY_EDIT} if policy else ()))
    columns = _policy_columns(policy or {})
    if name is not None:
        columns["name"] = check_name(name)
    ref = selectors.project_resolve(principal, slug)
    with transaction(principal.team_id) as tx:
        if policy:
            hooks.lock_project(tx, ref.id)
        row = Project.objects.select_for_update(no_key=True).filter(id=ref.id).first()
        if row is None:
            raise not_found("project")
        require_version(row.version, expected_version)
        before = {column: getattr(row, column) for column in columns}
        changed = {column: value for column, value in columns.items() if before[column] != value}
        if changed:
            _store(tx, principal, row, before=before, changed=changed)
    selectors.forget(ref.id)
    return selectors.project_show(row)


def _store(
    tx: Transaction,
    principal: Principal,
    row: Project,
    *,
    before: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> None:
    for column, value in changed.items():
        setattr(row, column, value)
    row.version += 1
    row.save(update_fields=[*changed, "version"])
    public = {column: name for name, column in selectors.POLICY.items()}
    policy = {public[column]: [before[column], value] for column, value in changed.items() if column in public}
    facts = []
    if "name" in changed:
        names = {"name": [before["name"], changed["name"]]}
        facts.append(Fact("project.changed", "project", row.public_id, {"changes": names}))
    if policy:
        facts.append(Fact("policy.changed", "project", row.public_id, {"changes": policy}))
    ledger.record(tx, principal, *facts, project_id=row.id)


def _policy_columns(policy: Mapping[str, Any]) -> dict[str, Any]:
    errors = []
    for name, value in policy.items():
        if name not in selectors.POLICY:
            errors.append(FieldError(f"policy.{name}", "unknown_field", "There is no such policy."))
        elif (choices := selectors.CHOICES.get(name)) is not None:
            if value not in choices:
                errors.append(FieldError(f"policy.{name}", "unknown", f"One of {', '.join(choices)}."))
        elif name not in _LARGEST:
            if not isinstance(value, bool):
                errors.append(FieldError(f"policy.{name}", "wrong_type", "true or false."))
        elif isinstance(value, bool) or not isinstance(value, int):
            errors.append(FieldError(f"policy.{name}", "wrong_type", "A whole number."))
        elif not 0 <= value <= _LARGEST[name]:
            errors.append(FieldError(f"policy.{name}", "out_of_range", f"0 (no limit) to {_LARGEST[name]}."))
    if errors:
        raise Problem(Code.INVALID, errors[0].detail, errors=errors)
    return {selectors.POLICY[name]: value for name, value in policy.items()}

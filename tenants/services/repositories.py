"""Making, changing and removing a project's repositories."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db import transaction as django_transaction

from tenants import hooks, ledger
from tenants.db import Transaction, transaction
from tenants.ledger import Fact
from tenants.models import Project, Repository
from tenants.names import check_repository_slug, check_text, taken
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem, not_found
from tenants.remotes import remote_normalise
from tenants.selectors.projects import forget, project_resolve
from tenants.selectors.repositories import repository_show
from tenants.services.access import require_version


def repository_create(
    principal: Principal,
    project: str,
    *,
    slug: str,
    remote: str = "",
    default_branch: str = "main",
    case_insensitive: bool = False,
    is_default: bool = False,
) -> dict[str, Any]:
    """A new repository; the first one of a project becomes its default, ``is_default`` takes that over.

    Raises Problem ``forbidden`` without ``repositories.manage``, ``invalid``, ``already_exists``,
    ``not_found``.
    """
    principal.require(Permission.REPOSITORIES_MANAGE)
    ref = project_resolve(principal, project)
    with transaction(principal.team_id) as tx:
        row = insert_repository(
            tx,
            principal,
            project_id=ref.id,
            slug=slug,
            remote=remote,
            default_branch=default_branch,
            case_insensitive=case_insensitive,
            is_default=is_default,
        )
    return repository_show(row)


def insert_repository(
    tx: Transaction,
    principal: Principal,
    *,
    project_id: UUID,
    slug: str,
    remote: str = "",
    default_branch: str = "main",
    case_insensitive: bool = False,
    is_default: bool = False,
) -> Repository:
    """``repository_create`` inside the caller's transaction, permissions checked."""
    row = Repository(
        team_id=principal.team_id,
        project_id=project_id,
        slug=check_repository_slug(slug),
        remote=remote_normalise(remote),
        default_branch=_check_branch(default_branch),
        case_insensitive=case_insensitive,
    )
    # The project's row lock makes "the first one" and "one default" true when two are made at once.
    if not Project.objects.select_for_update(no_key=True).filter(id=project_id).exists():
        raise not_found("project")
    others = Repository.objects.filter(project_id=project_id)
    row.is_default = is_default or not others.exists()
    try:
        with django_transaction.atomic():
            if row.is_default:
                _undo_default(project_id)
            row.save(force_insert=True)
    except IntegrityError:
        raise taken("repository", slug) from None
    _record(tx, principal, row, "repository.created", {"remote": row.remote, "is_default": row.is_default})
    return row


def repository_change(
    principal: Principal,
    project: str,
    slug: str,
    *,
    expected_version: int | None = None,
    remote: str | None = None,
    default_branch: str | None = None,
    case_insensitive: bool | None = None,
    is_default: bool | None = None,
) -> dict[str, Any]:
    """Change what is given. Case comparison only changes while nothing is claimed there (claims.md,
    "Patterns").

    Raises Problem ``precondition_failed`` for an outdated ``expected_version``, ``conflict`` while ground is
    held or awaited or where the default would go away, ``forbidden``, ``invalid``, ``not_found``.
    """
    principal.require(Permission.REPOSITORIES_MANAGE)
    wanted: dict[str, Any] = {"case_insensitive": case_insensitive, "is_default": is_default}
    wanted["remote"] = None if remote is None else remote_normalise(remote)
    wanted["default_branch"] = None if default_branch is None else _check_branch(default_branch)
    ref = project_resolve(principal, project)
    with transaction(principal.team_id) as tx:
        row = _lock(tx, ref.id, slug, exclusively=case_insensitive is not None)
        require_version(row.version, expected_version)
        old = {field: getattr(row, field) for field in wanted}
        changed = {field: value for field, value in wanted.items() if value is not None and value != old[field]}
        if changed:
            _check_change(tx, row, changed)
            _store(tx, principal, row, old=old, changed=changed)
    return repository_show(row)


def repository_delete(principal: Principal, project: str, slug: str) -> None:
    """Remove a repository that nobody holds ground in. The default one goes last.

    Raises Problem ``conflict`` while ground is held or awaited, or while others need the default;
    ``not_found``.
    """
    principal.require(Permission.REPOSITORIES_MANAGE)
    ref = project_resolve(principal, project)
    with transaction(principal.team_id) as tx:
        row = _lock(tx, ref.id, slug, exclusively=True)
        _require_unused(tx, row, "removed")
        if row.is_default and Repository.objects.filter(project_id=ref.id).exclude(id=row.id).exists():
            raise Problem(Code.CONFLICT, f"{slug} is the default. Make another repository the default first.")
        _record(tx, principal, row, "repository.deleted", {})
        row.delete()


def _lock(tx: Transaction, project_id: UUID, slug: str, *, exclusively: bool) -> Repository:
    """The locked row. ``exclusively`` stops every decision in the project (lock order: project, rows)."""
    if exclusively:
        hooks.lock_project(tx, project_id)
    Project.objects.select_for_update(no_key=True).filter(id=project_id).first()
    rows = Repository.objects.select_for_update(no_key=True).filter(project_id=project_id)
    row = None if "\x00" in slug else rows.filter(slug=slug).first()
    if row is None:
        raise not_found("repository")
    return row


def _check_change(tx: Transaction, row: Repository, changed: dict[str, Any]) -> None:
    if "case_insensitive" in changed:
        _require_unused(tx, row, "compared in another way")
    if changed.get("is_default") is False:
        raise Problem(
            Code.CONFLICT, "A project keeps a default. Set is_default on the repository that takes its place."
        )


def _require_unused(tx: Transaction, row: Repository, becomes: str) -> None:
    if hooks.repository_in_use(tx, row.id):
        raise Problem(
            Code.CONFLICT,
            f"Ground in {row.slug} is claimed or waited for, so it cannot be {becomes} now. Release first.",
        )


def _store(
    tx: Transaction, principal: Principal, row: Repository, *, old: dict[str, Any], changed: dict[str, Any]
) -> None:
    if changed.get("is_default"):
        _undo_default(row.project_id)
    for field, value in changed.items():
        setattr(row, field, value)
    row.version += 1
    row.save(update_fields=[*changed, "version"])
    changes = {field: [old[field], value] for field, value in changed.items()}
    _record(tx, principal, row, "repository.changed", {"changes": changes})


def _undo_default(project_id: UUID) -> None:
    for other in Repository.objects.filter(project_id=project_id, is_default=True):
        other.is_default = False
        other.version += 1
        other.save(update_fields=["is_default", "version"])


def _record(tx: Transaction, principal: Principal, row: Repository, kind: str, data: dict[str, Any]) -> None:
    fact = Fact(kind, "repository", row.public_id, {"slug": row.slug} | data)
    ledger.record(tx, principal, fact, project_id=row.project_id)
    project_id = row.project_id
    # Other processes hear of it at once through the same channel as revocations; those that cannot hear
    # believe what they know for a few seconds (selectors.projects).
    tx.run("SELECT pg_notify('interlock', %s)", [f'["project:{project_id}"]'])
    tx.after_commit(lambda: forget(project_id))


def _check_branch(text: str) -> str:
    branch = check_text(text, field="default_branch", longest=200)
    return branch or "main"

"""Attestations: that a content was covered when it was committed, kept for those who ask when claims are long gone
(claims.md, "Verification"). Trusted within a project and repository, whoever attested; the finding says who did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from coordination.services.acting import Acting, credential
from coordination.services.requests import Change
from coordination.store import attestations
from tenants import ids, ledger
from tenants.db import Row, Transaction
from tenants.ledger import Fact
from tenants.principal import Principal
from tenants.selectors.projects import RepositoryRef

_TOLD = 20


@dataclass(frozen=True, slots=True)
class Covered:
    """What covers a path: a claim, and the number of its scope."""

    claim: UUID
    scope: int


@dataclass(frozen=True, slots=True)
class Terms:
    """Who attests where, and for which work."""

    principal: Principal
    project_id: UUID
    repository: RepositoryRef
    me: Acting
    branch: str
    task: str


def known(tx: Transaction, project_id: UUID, repository_id: UUID, changes: Mapping[str, Change]) -> dict[str, Row]:
    """The paths that are attested, each with the attestation that says so. One statement.

    By content: then squash, fast-forward and cherry-pick keep it. Else by the changed lines of every commit of the
    range, which a rebase keeps.
    """
    blobs = {(path, change.blob) for path, change in changes.items() if change.blob}
    patches = {(path, patch) for path, change in changes.items() for patch in change.patches if patch}
    if not blobs and not patches:
        return {}
    by_blob, by_patch = attestations.find(tx, project_id, repository_id, blobs=blobs, patches=patches)
    found = {}
    for path, change in changes.items():
        row = by_blob.get((path, change.blob))
        if row is None and change.patches:
            rows = [by_patch.get((path, patch)) for patch in change.patches]
            row = rows[-1] if all(rows) else None
        if row is not None:
            found[path] = row
    return found


def store(
    tx: Transaction, terms: Terms, changes: Mapping[str, Change], covered: Mapping[str, Covered]
) -> tuple[set[str], list[str]]:
    """Attest what is covered: the paths whose claim still covers them in that statement, and those new among them."""
    if not covered:
        return set(), []
    rows = [
        {
            "id": ids.new_id(),
            "path": path,
            "blob": changes[path].blob,
            "patch": changes[path].patch,
            "claim": by.claim,
            "scope": by.scope,
        }
        for path, by in covered.items()
    ]
    names = {
        "project": terms.project_id,
        "repository": terms.repository.id,
        "holder": terms.me.holder_id,
        "instance": terms.me.instance_id,
        "agent": terms.me.agent,
        "credential": credential(terms.principal),
        "branch": terms.branch or terms.me.policy["branch"] or "",
        "task": terms.task,
    }
    return attestations.insert(tx, names, rows)


def tell(tx: Transaction, terms: Terms, new: Mapping[str, Covered]) -> None:
    """Tell the ledger what was attested, where anything was that had not been before."""
    if not new:
        return
    said = {
        "agent": terms.me.agent,
        "repository": terms.repository.slug,
        "branch": terms.branch or terms.me.policy["branch"] or "",
        "task": terms.task,
        "count": len(new),
        "paths": sorted(new)[:_TOLD],
        "claims": sorted({ids.show("clm", by.claim) for by in new.values()})[:_TOLD],
    }
    fact = Fact("change.attested", "instance", ids.show("ins", terms.me.instance_id), said)
    ledger.append(tx, terms.principal, [fact], project_id=terms.project_id, instance_id=terms.me.instance_id)

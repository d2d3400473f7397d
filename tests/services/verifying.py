"""Verifications in few words, for the tests of what they find."""

from typing import Any

from coordination.services import verify
from coordination.services.requests import Change
from tenants.db import transaction
from tenants.permissions import PRESETS
from tenants.principal import Principal
from tests.making import Place

ONE, OTHER, GONE = "1" * 40, "2" * 40, "0" * 40


def asked(principal: Principal, *changes: Change | str, **more: Any) -> dict[str, Any]:
    """The answer to a verification; a bare path has one and the same content."""
    wanted = tuple(Change(change, ONE) if isinstance(change, str) else change for change in changes)
    return verify.verify(principal, "main", changes=wanted, **more).body


def statuses(answer: dict[str, Any]) -> dict[str, str]:
    """What was found of each path."""
    return {finding["path"]: finding["status"] for finding in answer["findings"]}


def status(principal: Principal, change: Change | str, **more: Any) -> str:
    """What was found of one path."""
    [found] = asked(principal, change, **more)["findings"]
    return str(found["status"])


def gate(place: Place, change: Change | str, **more: Any) -> str:
    """What a pipeline finds, which acts for no run."""
    ci = place.owner.acting(permissions=PRESETS["ci"])
    return status(ci, change, against_attestations=True, **more)


def rows(place: Place) -> list[dict[str, Any]]:
    """Every attestation of a team."""
    with transaction(place.team_id) as tx:
        return tx.run(
            "SELECT path, blob, patch, fence, agent_name, branch, task, credential FROM coordination_attestation"
            " WHERE team_id = %s ORDER BY path, blob, patch",
            [place.team_id],
        ).fetchall()

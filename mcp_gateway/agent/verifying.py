"""Asking whether changes are covered, in calls of a size the server takes, and saying what came of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mcp_gateway.agent import wording
from mcp_gateway.agent.git import Change, sendable
from mcp_gateway.agent.http import Answer, Client
from mcp_gateway.agent.output import clean

Shape = dict[str, Any]

_MOST_CHANGES = 1000
_MOST_BYTES = 500_000
_MOST_SHOWN = 10
# What a commit's digests may come to for one path; a path with more is found by its content alone.
_MOST_PATCHES = 2000
_WEIGHT = {"pass": 0, "warn": 1, "fail": 2}
UNNAMEABLE = "unnameable"
_OPEN = ("held_by_other", "lapsed", "unclaimed", UNNAMEABLE)


class Superseded(Exception):
    """The run that asked has ended or was taken over; the text is the server's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def ask(
    client: Client,
    changes: Sequence[Change],
    *,
    against: str = "claims",
    attest: bool = False,
    branch: str = "",
    task: str = "",
    timeout: float | None = None,
) -> Shape:
    """The verification of all changes together. Raises Superseded, and what `Client.request` raises."""
    said = {"against": against, "attest": attest, "branch": branch[:250], "task": task[:60]}
    if client.settings.repository:
        said["repository"] = client.settings.repository
    named = [change for change in changes if sendable(change.path)]
    answers = [
        _checked(client.request("POST", "verify", said | {"changes": part}, timeout=timeout)) for part in parts(named)
    ]
    strange = [_unnamed(change.path) for change in changes if not sendable(change.path)]
    return _merged(answers, strange)


def _checked(answer: Answer) -> Shape:
    if answer.refused:
        raise Superseded(answer.problem, str(answer.body.get("detail") or answer.body.get("title") or answer.problem))
    return dict(answer.body)


def parts(changes: Iterable[Change]) -> Iterator[list[Shape]]:
    """Changes as the server takes them, in lists of a size that one call may have."""
    part: list[Shape] = []
    size = 0
    for change in changes:
        patches = [patch for patch in change.patches if patch] if all(change.patches) else []
        one: Shape = {"path": change.path, "blob": change.blob, "patch": change.patch}
        if patches and len(patches) <= _MOST_PATCHES:
            one["patches"] = list(dict.fromkeys(patches))
        weight = 200 + len(change.path.encode()) + 70 * len(one.get("patches", ()))
        if part and (len(part) >= _MOST_CHANGES or size + weight > _MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(one)
        size += weight
    if part:
        yield part


def _merged(parts: Sequence[Shape], strange: list[Shape]) -> Shape:
    findings = [finding for part in parts for finding in part["findings"]] + strange
    policy = parts[0]["policy"] if parts else "warn"
    verdict = max((part["verdict"] for part in parts), key=_WEIGHT.__getitem__, default="pass")
    if strange and policy != "off":
        verdict = "fail" if policy == "enforce" else max(verdict, "warn", key=_WEIGHT.__getitem__)
    return {
        "verdict": verdict,
        "policy": policy,
        "repository": parts[0]["repository"] if parts else "",
        "findings": findings,
        "failed": sum(part["failed"] for part in parts) + len(strange),
        "attested": sum(part["attested"] for part in parts),
    }


def _unnamed(path: str) -> Shape:
    """A path the server has no word for, so that nobody can hold it."""
    shown = path.encode("utf-8", "backslashreplace").decode()
    empty = dict.fromkeys(("claim", "fence", "holder", "expires_at", "by"))
    return {"path": shown, "status": UNNAMEABLE} | empty


# --- saying it ----------------------------------------------------------------------------------------------


def lines(verification: Mapping[str, Any]) -> list[str]:
    """The findings in groups, what is wrong first, and the verdict."""
    told = []
    findings = verification["findings"]
    for status in _OPEN:
        told += _group(status, [finding for finding in findings if finding["status"] == status])
    passed = {
        status: sum(finding["status"] == status for finding in findings) for status in ("covered", "attested", "exempt")
    }
    good = ", ".join(f"{number} {status}" for status, number in passed.items() if number)
    verdict = f"{verification['verdict']} (policy {verification['policy']})"
    stored = f"; {verification['attested']} attested now" if verification["attested"] else ""
    told.append(f"{verdict}: {good or 'nothing covered'}{stored}" if findings else "nothing changed")
    return told


_HEADS = {
    "held_by_other": "held by others: leave these to their holders, ask them, or wait",
    "lapsed": "lapsed: the claim ran out; claim again (`interlock claim PATH`)",
    "unclaimed": "unclaimed: nobody has these; claim them (`interlock claim PATH`)",
    UNNAMEABLE: "cannot be named to the server (not UTF-8, or control characters): choose other names",
}


def _group(status: str, findings: Sequence[Mapping[str, Any]]) -> list[str]:
    if not findings:
        return []
    shown = [f"  {clean(finding['path'])}{_due(finding)}" for finding in findings[:_MOST_SHOWN]]
    more = [f"  and {len(findings) - _MOST_SHOWN} more"] if len(findings) > _MOST_SHOWN else []
    return [_HEADS[status], *shown, *more]


def _due(finding: Mapping[str, Any]) -> str:
    holder = finding["holder"]
    if not holder or finding["status"] == "lapsed":
        return ""
    return f": {clean(wording.who(holder))} until {wording.moment(finding['expires_at'])}"

"""Events of the ledger as a person would say them: "claimed src/auth", not ``claim.granted``."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Phrase(NamedTuple):
    """``tone`` colours it (good, wait, bad, plain); ``what`` are the patterns or names it is about."""

    verb: str
    what: tuple[str, ...] = ()
    note: str = ""
    tone: str = "plain"


_VERBS: Mapping[str, tuple[str, str]] = {
    "claim.granted": ("claimed", "good"),
    "claim.denied": ("was refused", "bad"),
    "claim.queued": ("queued up", "wait"),
    "claim.renewed": ("renewed a claim", "plain"),
    "claim.narrowed": ("narrowed a claim", "plain"),
    "claim.mode_changed": ("changed a claim's mode", "plain"),
    "claim.coexisting": ("shares ground with another claim", "plain"),
    "claim.released": ("released a claim", "plain"),
    "claim.expired": ("let a claim expire", "wait"),
    "claim.revoked": ("had a claim revoked", "bad"),
    "claim.transferred": ("handed a claim over", "plain"),
    "claim.lost": ("lost a claim", "bad"),
    "queue.granted": ("got its turn", "good"),
    "queue.cancelled": ("stopped waiting", "plain"),
    "queue.expired": ("waited too long", "wait"),
    "deadlock.refused": ("would have closed a circle of waits", "bad"),
    "instance.registered": ("came in", "good"),
    "instance.resumed": ("came back", "good"),
    "instance.stale": ("went silent", "wait"),
    "instance.gone": ("is gone", "wait"),
    "instance.ended": ("left", "plain"),
    "instance.changed": ("changed what it says of itself", "plain"),
    "allocation.made": ("was given a number", "good"),
    "allocation.released": ("gave a number back", "plain"),
    "guard.started": ("began a session with the guard", "plain"),
    "guard.refused": ("was kept from", "bad"),
    "guard.probed": ("tried the guard's probe: it works", "good"),
    "guard.missed": ("changed without the guard having seen it", "bad"),
    "change.attested": ("had covered changes attested", "good"),
    "message.posted": ("wrote a message", "plain"),
    "message.acked": ("acknowledged a message", "plain"),
    "team.created": ("made the team", "good"),
    "member.added": ("brought in a member", "good"),
    "member.changed": ("changed a member's role", "plain"),
    "member.removed": ("took out a member", "plain"),
    "token.created": ("made a token", "good"),
    "token.changed": ("changed a token", "plain"),
    "token.revoked": ("revoked a token", "bad"),
    "project.created": ("created the project", "good"),
    "project.changed": ("changed the project", "plain"),
    "project.frozen": ("froze the project", "bad"),
    "project.thawed": ("thawed the project", "good"),
    "policy.changed": ("changed the policy", "plain"),
    "repository.created": ("added repository", "good"),
    "repository.changed": ("changed repository", "plain"),
    "repository.deleted": ("removed repository", "plain"),
}
_SHOWN = 3


def phrase(event: Mapping[str, Any]) -> Phrase:
    """The phrase for an event in its public shape; a type this release does not know is shown as it is."""
    verb, tone = _VERBS.get(event["type"], (event["type"], "plain"))
    data = event["data"] if isinstance(event["data"], Mapping) else {}
    what = _what(data)
    note = f"and {len(what) - _SHOWN} more" if len(what) > _SHOWN else _note(data)
    return Phrase(verb, tuple(what[:_SHOWN]), note, tone)


def _what(data: Mapping[str, Any]) -> list[str]:
    scopes = data.get("scopes")
    if isinstance(scopes, list):
        return [ground(str(scope.get("pattern", ""))) for scope in scopes if isinstance(scope, Mapping)]
    for name in ("wanted", "paths"):
        if isinstance(named := data.get(name), list) and named:
            return [ground(str(pattern)) for pattern in named]
    if data.get("verb"):
        return [str(data["verb"])]
    slug = data.get("slug")
    return [str(slug)] if slug else []


def _note(data: Mapping[str, Any]) -> str:
    holders = data.get("held_by")
    if isinstance(holders, list) and holders:
        return f"held by {', '.join(str(holder) for holder in holders[:_SHOWN])}"
    return str(data.get("reason") or data.get("why") or "")


def ground(pattern: str) -> str:
    """A pattern as people read it: a single file is a path to them."""
    return pattern.removeprefix("file:")


def who(event: Mapping[str, Any]) -> str:
    """Whose doing it was: the agent where one acted, else the person or the token."""
    data = event["data"] if isinstance(event["data"], Mapping) else {}
    agent = data.get("agent")
    return str(agent if isinstance(agent, str) and agent else event["actor"]["name"])

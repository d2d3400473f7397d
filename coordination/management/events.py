"""The event types of the ledger, with what each carries: the source of docs/events.md.

``unlisted`` holds it against the code, and tests/meta/test_events.py against what the services write.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_TYPE = re.compile(r"[a-z]+\.[a-z_]+")
# Where types are written; the store adds `claim.<state>` to what it ends.
_WRITERS = ("coordination/services", "tenants/services")
_COMPUTED = frozenset({"claim."})

Data = dict[str, Any]


class EventType(NamedTuple):
    """One type: what it is about, when it is written, whose inbox it goes to, and its data.

    ``examples`` has one of each shape; ``stream`` is ``project``, or ``team`` where there is no project.
    """

    subject: str
    when: str
    examples: tuple[Data, ...]
    inbox: str = ""
    stream: str = "project"


_SCOPES = [{"repository": "main", "pattern": "src/auth/**"}]
_CLAIM = "clm_01m7wkvfcaf9jbjvpd6cnxcsq3"
_OTHER = "clm_01m7wkvfg1edz932vfs6drqkzh"
_INSTANCE = "ins_01m7wkvf9jf35t96p4g8vsme1t"
_ENDED: Data = {"agent": "ada", "fence": 35, "by": "First agent"}
_EXPIRED: Data = {"agent": "ada", "fence": 35, "scopes": _SCOPES}
_PERSON: Data = {"person": "per_7", "name": "Ada Lovelace"}

_CLAIMS: Mapping[str, EventType] = {
    "claim.granted": EventType(
        "claim",
        "Ground was granted: at once, or to an entry of the queue (`offered` when nobody held a connection for it). "
        "At most 20 scopes are listed.",
        (
            {
                "mode": "exclusive",
                "agent": "ada",
                "scopes": _SCOPES,
                "scopes_total": 1,
                "took_over": [],
                "offered": False,
                "fence": 7,
            },
        ),
    ),
    "claim.denied": EventType(
        "instance",
        "A request that did not want to wait was refused.",
        ({"agent": "ben", "wanted": ["src/auth/login.py"], "blocked_by": [_CLAIM], "total": 1},),
    ),
    "claim.queued": EventType(
        "queue_entry", "A request went into the queue.", ({"agent": "ben", "blocked_by": [_CLAIM]},)
    ),
    "claim.renewed": EventType(
        "claim",
        "A claim was extended by its holder. Heartbeats extend without an event.",
        ({"agent": "ada", "fence": 35, "expires_at": "2026-11-20T15:55:35.568184+00:00"},),
    ),
    "claim.narrowed": EventType(
        "claim",
        "A claim gave up a part of its ground; what is left is listed.",
        ({"agent": "ada", "scopes": _SCOPES}, {"agent": "ada", "mode": "shared", "scopes": _SCOPES}),
    ),
    "claim.mode_changed": EventType("claim", "A claim's mode was changed.", ({"agent": "ada", "mode": "shared"},)),
    "claim.coexisting": EventType(
        "claim",
        "Another claim was granted over the same ground, in a mode that allows it.",
        ({"with": _OTHER, "agent": "ben"},),
        inbox="the holder of the older claim",
    ),
    "claim.released": EventType("claim", "A claim was given back.", (_ENDED,)),
    "claim.revoked": EventType("claim", "A claim was ended by somebody else.", (_ENDED,), inbox="its holder"),
    "claim.expired": EventType(
        "claim",
        "A claim's time was over, or its holder was silent too long, and it was swept or taken over.",
        (_EXPIRED,),
        inbox="its holder",
    ),
    "claim.lost": EventType(
        "claim",
        "Lapsed ground was taken over by another; or a holder came too late with a claim that had ended.",
        (
            _EXPIRED | {"held_by": "ben", "instance": _INSTANCE, "reason": "ada has gone home"},
            {"agent": "ada", "state": "expired"},
        ),
        inbox="its holder, at a take-over",
    ),
    "queue.granted": EventType(
        "queue_entry",
        "A waiting request got its ground; `claim.granted` stands before it.",
        ({"agent": "ben", "claim": _OTHER, "waited_s": 12.5, "offered": False},),
        inbox="its holder",
    ),
    "queue.cancelled": EventType(
        "queue_entry",
        "A waiting request was given up: by its owner, because nobody is left to hear the answer, or because it may "
        "not be granted (its holder is at a limit).",
        ({"why": "the client went away"},),
    ),
    "queue.expired": EventType(
        "queue_entry", "A waiting request reached its deadline.", ({"why": "its deadline passed"},)
    ),
    "deadlock.refused": EventType(
        "instance or queue_entry",
        "A wait would have closed a circle and was refused; or a grant closed one and the weakest wait was given up.",
        (
            {"agent": "ada", "cycle": ["ada", "ben"]},
            {"why": "waiting on would close a circle of 2 agents; the others go on"},
        ),
        inbox="who had to give up",
    ),
    "change.attested": EventType(
        "instance",
        "A run had it stored that contents were covered, mostly at a commit. At most 20 paths and claims are listed.",
        (
            {
                "agent": "ada",
                "repository": "main",
                "branch": "agent/ada",
                "task": "KEY-12",
                "count": 1,
                "paths": ["src/auth/login.py"],
                "claims": [_CLAIM],
            },
        ),
    ),
    "allocation.made": EventType(
        "allocation", "A number was handed out.", ({"pool": "migration", "number": 42, "agent": "ada"},)
    ),
    "allocation.released": EventType(
        "allocation", "A number was given back.", ({"pool": "migration", "number": 42, "agent": "ada"},)
    ),
}

_AGENTS: Mapping[str, EventType] = {
    "instance.registered": EventType("instance", "A run came in.", ({"agent": "ada", "tool": "claude-code"},)),
    "instance.resumed": EventType(
        "instance", "A run came back; handles of earlier epochs are refused now.", ({"agent": "ada", "epoch": 2},)
    ),
    "instance.changed": EventType(
        "instance", "A run said something new of itself.", ({"agent": "ada", "intent": "rework the login"},)
    ),
    "instance.stale": EventType(
        "instance",
        "A run was silent beyond the project's idle limit.",
        ({"agent": "ada", "last_seen": "2026-11-20T13:55:35.642886+00:00"},),
        inbox="itself",
    ),
    "instance.gone": EventType(
        "instance",
        "A run was silent beyond the grace, too: its claims have lapsed.",
        ({"agent": "ada", "last_seen": "2026-11-20T13:55:35.642886+00:00"},),
        inbox="itself",
    ),
    "instance.ended": EventType("instance", "A run ended; its claims were released.", ({"agent": "ada"},)),
    "guard.started": EventType(
        "instance",
        "A session began with a hook call: from here on its edits should be judged. A probe was planted.",
        ({"agent": "ada", "door": "command", "source": "startup", "policy": "auto-claim"},),
    ),
    "guard.refused": EventType(
        "instance",
        "An edit or a git command was refused, or under the policy `observe` would have been. `why` is `held`, "
        "`unclaimed`, `frozen`, `limit`, `danger`, `superseded` or `ended`; at most 20 paths are listed.",
        (
            {
                "agent": "ben",
                "paths": ["src/auth/login.py"],
                "verb": "",
                "held_by": ["ada"],
                "policy": "auto-claim",
                "why": "held",
            },
        ),
    ),
    "guard.probed": EventType(
        "instance", "The planted probe was tried and refused: the hook fires.", ({"agent": "ada", "door": "http"},)
    ),
    "guard.missed": EventType(
        "instance",
        "Files were found changed that no guard had judged and no claim of the run covers; at most 20 are listed.",
        ({"agent": "ada", "paths": ["src/generated.py"], "total": 1},),
    ),
    "message.posted": EventType(
        "message",
        "A message was sent; its text is in the message, not here.",
        ({"to": "ada", "kind": "question", "importance": "normal", "from": "ben"},),
        inbox="the run, the agent or everybody it is for",
    ),
    "message.acked": EventType("message", "A message was acknowledged.", ({"by": "ada"},), inbox="its sender"),
    "topic.<name>": EventType("topic", "Whatever agents publish.", ({"data": {"ok": True}, "from": "ada"},)),
}

_PROJECTS: Mapping[str, EventType] = {
    "project.created": EventType("project", "A project was made.", ({"slug": "web", "name": "Web"},)),
    "project.changed": EventType("project", "Its name was changed.", ({"changes": {"name": ["Web", "Website"]}},)),
    "policy.changed": EventType(
        "project",
        "Its policy was changed: from, to.",
        ({"changes": {"idle_limit_seconds": [1800, 3600], "guard_policy": ["auto-claim", "strict"]}},),
    ),
    "project.frozen": EventType(
        "project", "All grants were stopped.", ({"by": "Ada Lovelace", "reason": "release day"},), inbox="everybody"
    ),
    "project.thawed": EventType("project", "Grants go on.", ({"by": "Ada Lovelace", "reason": ""},), inbox="everybody"),
    "repository.created": EventType(
        "repository",
        "A repository was added.",
        ({"slug": "main", "remote": "github.com/acme/web", "is_default": True},),
    ),
    "repository.changed": EventType(
        "repository",
        "A repository was changed: from, to.",
        ({"slug": "main", "changes": {"default_branch": ["main", "trunk"]}},),
    ),
    "repository.deleted": EventType("repository", "A repository was removed.", ({"slug": "old"},)),
}

_TEAMS: Mapping[str, EventType] = {
    "team.created": EventType("team", "A team was made.", ({"name": "Acme"},), stream="team"),
    "member.added": EventType(
        "member",
        "Somebody joined; the first owner joins with the team.",
        (_PERSON | {"role": "member"}, {"person": "per_7", "role": "owner"}),
        stream="team",
    ),
    "member.changed": EventType(
        "member",
        "Somebody got another role: from, to.",
        (_PERSON | {"changes": {"role": ["member", "admin"]}},),
        stream="team",
    ),
    "member.removed": EventType("member", "Somebody left.", (_PERSON | {"role": "member"},), stream="team"),
    "token.created": EventType(
        "token",
        "A token was made; its secret is nowhere.",
        ({"name": "CI", "permissions": ["read", "verify"], "project": None, "agent": None},),
        stream="team",
    ),
    "token.changed": EventType(
        "token",
        "A personal token was narrowed together with its person's role: from, to.",
        ({"changes": {"permissions": [["coordinate", "read"], ["read"]]}},),
        stream="team",
    ),
    "token.revoked": EventType(
        "token",
        "A token was revoked.",
        ({"name": "CI"}, {"name": "CI", "why": "its person lost the role"}),
        stream="team",
    ),
}

SECTIONS: Mapping[str, Mapping[str, EventType]] = {
    "Claims and the queue": _CLAIMS,
    "Agents and messages": _AGENTS,
    "Projects": _PROJECTS,
    "Teams, people and tokens": _TEAMS,
}
EVENTS: Mapping[str, EventType] = {kind: entry for section in SECTIONS.values() for kind, entry in section.items()}


def unlisted(root: Path) -> list[str]:
    """What is wrong with the catalogue: types that the code writes and it lacks, and the other way round."""
    written, beginnings = _in_code(root)
    missing = [f"{kind} is written, but not in the catalogue" for kind in sorted(written - set(EVENTS))]
    invented = [
        f"{kind} is in the catalogue, but nobody writes it"
        for kind in EVENTS
        if kind not in written and kind[: kind.index(".") + 1] not in beginnings
    ]
    known = {kind[: kind.index(".") + 1] for kind in EVENTS}
    return (
        missing + invented + [f"{start}… is written, but not in the catalogue" for start in sorted(beginnings - known)]
    )


def _in_code(root: Path) -> tuple[set[str], set[str]]:
    """Types written out in full, and the beginnings of those put together."""
    written: set[str] = set()
    beginnings = set(_COMPUTED)
    for folder in _WRITERS:
        for path in sorted((root / folder).glob("**/*.py")):
            tree = ast.parse(path.read_text())
            written.update(text for text in _constants(tree) if _TYPE.fullmatch(text))
            beginnings.update(_put_together(tree))
    return written, beginnings


def _constants(tree: ast.AST) -> Iterator[str]:
    """Strings written out in full; no docstrings, no parts of f-strings."""
    skipped = {id(statement.value) for statement in ast.walk(tree) if isinstance(statement, ast.Expr)}
    skipped |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def _put_together(tree: ast.AST) -> Iterator[str]:
    """How the types begin that are given to ``Fact`` as f-strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Fact":
            kind = node.args[0]
            if isinstance(kind, ast.JoinedStr) and isinstance(kind.values[0], ast.Constant):
                yield str(kind.values[0].value)

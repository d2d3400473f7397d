"""What a run should know: at the start of its session who it is, with every prompt what has happened since.

The inbox cursor stays where it is: news are a glance, the inbox is read with `sync` or `inbox`. What was told by this
process is not told again.
"""

import threading
from typing import Any
from uuid import UUID

from coordination.engine.guard.state import OBSERVE
from coordination.selectors import claims as claim_selectors
from coordination.selectors import inboxes
from coordination.services.guard import words
from coordination.services.guard.calls import STRICT, Seen
from coordination.services.instances import inbox_of
from coordination.store import claims, guards, instances
from tenants import ids, ledger
from tenants.db import Transaction
from tenants.selectors.projects import ProjectRef

Shape = dict[str, Any]
_MOST = 5
_READ = 50
_told: dict[UUID, int] = {}
_lock = threading.Lock()
_RUNS = 20_000
_LOST = {"claim.lost": "lost", "claim.expired": "expired", "claim.revoked": "revoked"}
_RULES = {
    OBSERVE: "edits are recorded, none is refused",
    STRICT: "only claimed files may be edited: claim first (`interlock claim PATH`)",
}
_AUTO = "the first edit of a free file claims it for you; a file that another holds is refused, with who and until when"


def prompt(tx: Transaction, ref: ProjectRef, seen: Seen) -> str:
    """News for a run that goes on: it is at work again, its leases are renewed."""
    _renew(tx, ref, seen)
    guards.rest(tx, seen.me.instance_id, "active")
    return "\n".join(_news(tx, ref, seen))


def start(tx: Transaction, ref: ProjectRef, seen: Seen) -> str:
    """What a new session is told: its handle, the rules, what it holds, who else is in this checkout."""
    _renew(tx, ref, seen)
    me = seen.me
    rule = _RULES.get(seen.policy, _AUTO)
    handle = f"{_public(me.instance_id)}.{seen.row['epoch']}"
    lines = [
        f"Interlock coordinates the agents on this repository. You are agent {words.plain(me.agent, 80)}, run "
        f"{handle}: name it as `instance` in Interlock's MCP tools (Interlock-Instance over HTTP). Here {rule}.",
        *_holding(tx, ref, seen),
        *_neighbours(tx, ref, seen),
        *_news(tx, ref, seen),
    ]
    if seen.row["guard_probe"]:
        lines.append(words.prove(seen.row["guard_probe"]))
    return "\n".join(lines)


def _renew(tx: Transaction, ref: ProjectRef, seen: Seen) -> None:
    instances.touch(tx, [seen.me.instance_id, seen.me.holder_id])
    claims.renew_due(tx, ref.id, seen.me.holder_id)


def _public(instance_id: UUID) -> str:
    return ids.show("ins", instance_id)


def _holding(tx: Transaction, ref: ProjectRef, seen: Seen) -> list[str]:
    held = claim_selectors.held_by(tx, ref.id, seen.me.holder_id)
    if not held:
        return []
    names = [
        scope["pattern"].removeprefix("file:") for row in held for scope in row["scopes"] if not scope.get("dropped")
    ]
    return [f"You hold {words.listed(names, 8)}."]


def _neighbours(tx: Transaction, ref: ProjectRef, seen: Seen) -> list[str]:
    here = guards.neighbours(
        tx, ref.id, root_id=seen.me.holder_id, host=seen.row["host"], worktree=seen.row["worktree"]
    )
    if not here:
        return []
    told = words.listed([f"{row['agent_name']} ({_public(row['id'])})" for row in here])
    return [
        f"In this same checkout: {told}. Git commands that act on all of it would meet their work, and are refused."
    ]


def _news(tx: Transaction, ref: ProjectRef, seen: Seen) -> list[str]:
    lines = []
    if seen.frozen:
        policy = seen.me.policy
        why = f": {words.quote(policy['frozen_reason'])}" if policy["frozen_reason"] else ""
        lines.append(f"The project is frozen by {words.plain(policy['frozen_by'], 80)}{why}: nothing new is granted.")
    cursor = seen.me.policy["inbox_cursor"]
    with _lock:
        start = max(cursor, _told.get(seen.me.instance_id, 0))
    recipients = inbox_of(seen.me.instance_id, seen.me)
    rows = ledger.read(tx, ref.id, after=start, limit=_READ, recipients=recipients)
    if not rows:
        return lines
    box = inboxes.inbox(tx, ref.id, rows, start)
    tx.after_commit(lambda: _remember(seen.me.instance_id, int(box["cursor"])))
    told = [line for line in (_line(item) for item in box["items"]) if line]
    if told:
        lines += ["New for you:", *(f"- {line}" for line in told[:_MOST])]
        if len(told) > _MOST or len(rows) == _READ:
            lines.append("- and more: `interlock inbox` (MCP: tool sync).")
        lines.append(words.DATA)
    return lines


def _line(item: Shape) -> str:
    kind, data = item["type"], item["data"]
    if message := item["message"]:
        sender = message["sender"]["agent"] or message["sender"]["name"]
        ack = ", wants to be acknowledged" if message["ack_required"] else ""
        importance = "" if message["importance"] in ("low", "normal") else f", {message['importance']}"
        about = f"{message['kind']}{importance}{ack}, {message['id']}"
        return f"{words.plain(sender, 80)} ({about}): {words.quote(message['text'], 240)}"
    if kind in _LOST:
        by = data.get("held_by")
        names = [scope["pattern"].removeprefix("file:") for scope in data.get("scopes", ())]
        ground = f" on {words.listed(names)}" if names else ""
        taker = f"; {words.plain(by, 80)} holds it" if by else ""
        return f"your claim {item['subject']['id']}{ground} is {_LOST[kind]}{taker}: do not go on editing there"
    if kind == "queue.granted":
        return f"what you waited for was granted to you: claim {data['claim']}"
    if kind in ("project.frozen", "project.thawed"):
        return f"the project was {kind.partition('.')[2]} by {words.plain(data['by'], 80)}"
    return ""


def _remember(instance_id: UUID, cursor: int) -> None:
    with _lock:
        if len(_told) >= _RUNS:
            _told.clear()
        _told[instance_id] = max(cursor, _told.get(instance_id, 0))

"""Messages and the inbox. Text from agents is data: it is carried in an envelope that says who sent it, by which door.

Delivery is by the ledger: an inbox cursor moves only when a later call presents it or acknowledges, so a lost answer
loses no mail (work.md, "Messages").
"""

from typing import Any
from uuid import UUID

from coordination import notify
from coordination.selectors import inboxes
from coordination.services import acting, holding
from coordination.services.instances import inbox_of
from coordination.services.results import Answer
from coordination.store import instances, messages
from tenants import ids, ledger
from tenants.db import Transaction, transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import invalid, not_found
from tenants.selectors.projects import ProjectRef, project_resolve

KINDS = ("note", "question", "answer", "blocker", "handoff", "decision", "approval", "notice")
IMPORTANCE = ("low", "normal", "high", "urgent")


def post(
    principal: Principal,
    project: str,
    *,
    to: str,
    text: str,
    kind: str = "note",
    thread: str | None = None,
    reply_to: str | None = None,
    ack_required: bool = False,
    importance: str = "normal",
) -> Answer:
    """Send a message to an instance (``ins_…``), an agent's name (also one that comes later), or ``all``."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    if kind not in KINDS:
        raise invalid("kind", "unknown", f"{kind!r} is none of {', '.join(KINDS)}")
    if importance not in IMPORTANCE:
        raise invalid("importance", "unknown", f"{importance!r} is none of {', '.join(IMPORTANCE)}")
    message_id = ids.new_id()
    with transaction(principal.team_id) as tx:
        me = acting.acting_or_none(tx, principal, ref)
        recipient = _recipient(tx, ref, to)
        answered = _answered(tx, ref, reply_to)
        thread_id = _thread(thread) or (answered["thread_id"] if answered else message_id)
        messages.insert(
            tx,
            {
                "id": message_id,
                "project_id": ref.id,
                "sender_kind": principal.actor.kind,
                "sender_id": principal.actor.id,
                "sender_name": principal.actor.name,
                "instance_id": me.instance_id if me else None,
                "agent_name": me.agent if me else "",
                "door": principal.door,
                "recipient": recipient,
                "to": to,
                "kind": kind,
                "text": text,
                "thread_id": thread_id,
                "reply_to": answered["id"] if answered else None,
                "ack_required": ack_required,
                "importance": importance,
            },
        )
        public = ids.show("msg", message_id)
        said = {"to": to, "kind": kind, "importance": importance, "from": me.agent if me else principal.actor.name}
        fact = Fact("message.posted", "message", public, said, recipient=recipient)
        ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=me.instance_id if me else None)
        return Answer("created", inboxes.message(messages.by_ids(tx, ref.id, [message_id])[0]))


def _recipient(tx: Transaction, ref: ProjectRef, to: str) -> str:
    if to == "all":
        return "all"
    if to.startswith("ins_"):
        found = ids.parse("ins", to.partition(".")[0])
        row = instances.find(tx, ref.id, found) if found else None
        if row is None:
            raise not_found("instance to write to")
        return f"ins:{row['id']}"
    # A name may be written to before its first run: the message waits for it.
    return f"agt:{instances.agent_id(tx, ref.id, to, ids.new_id())}"


def _answered(tx: Transaction, ref: ProjectRef, reply_to: str | None) -> dict[str, Any] | None:
    if reply_to is None:
        return None
    found = ids.parse("msg", reply_to)
    rows = messages.by_ids(tx, ref.id, [found]) if found else []
    if not rows:
        raise not_found("message to reply to")
    return rows[0]


def _thread(text: str | None) -> UUID | None:
    if text is None:
        return None
    found = ids.parse("msg", text)
    if found is None:
        raise invalid("thread", "bad_id", "a thread is named by its first message, msg_…")
    return found


def inbox(
    principal: Principal,
    project: str,
    *,
    after: int | None = None,
    limit: int = 50,
    wait_seconds: int | None = None,
) -> Answer:
    """What lies after the cursor presented (or the stored one): messages and notices, oldest first.

    Presenting ``after`` moves the stored cursor there. With ``wait_seconds`` it holds until something comes.
    """
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)

    waits_on: set[str] = set()

    def look() -> Answer:
        with transaction(principal.team_id) as tx:
            me = acting.acting_in(tx, principal, ref)
            waits_on.update(notify.inbox_key(recipient, ref.id) for recipient in inbox_of(me.instance_id, me))
            if after is not None:
                messages.move_cursor(tx, me.instance_id, after)
            start = me.policy["inbox_cursor"] if after is None else after
            rows = ledger.read(tx, ref.id, after=start, limit=limit, recipients=inbox_of(me.instance_id, me))
            return Answer("ok", inboxes.inbox(tx, ref.id, rows, start))

    return holding.until(look, ready=lambda answer: bool(answer.body["items"]), keys=waits_on, seconds=wait_seconds)


def acknowledge(
    principal: Principal, project: str, *, message_ids: tuple[str, ...] = (), cursor: int | None = None
) -> Answer:
    """Acknowledge messages (their senders are told), and move the cursor when one is given. Idempotent."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    wanted = [ids.parse("msg", text) for text in message_ids]
    with transaction(principal.team_id) as tx:
        me = acting.acting_in(tx, principal, ref)
        found = messages.by_ids(tx, ref.id, [w for w in wanted if w])
        if len(found) != len(set(message_ids)):
            raise not_found("message")
        fresh = set(
            messages.acknowledge(
                tx,
                [ids.new_id() for _ in found],
                [row["id"] for row in found],
                instance_id=me.instance_id,
                agent=me.agent,
            )
        )
        facts = [
            Fact(
                "message.acked",
                "message",
                ids.show("msg", row["id"]),
                {"by": me.agent},
                recipient=f"ins:{row['instance_id']}" if row["instance_id"] else None,
            )
            for row in found
            if row["id"] in fresh
        ]
        if facts:
            ledger.append(tx, principal, facts, project_id=ref.id, instance_id=me.instance_id)
        if cursor is not None:
            messages.move_cursor(tx, me.instance_id, cursor)
        stored = instances.find(tx, ref.id, me.instance_id)
        assert stored is not None
        return Answer("ok", {"acknowledged": list(message_ids), "cursor": str(stored["inbox_cursor"])})

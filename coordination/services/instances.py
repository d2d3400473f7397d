"""Instances: register or resume, change, heartbeat, end (claims.md, "Words"; agent.md, "One holder per run")."""

from functools import partial
from typing import Any
from uuid import UUID

from coordination import notify
from coordination.selectors import shapes
from coordination.services import acting, drains, leases
from coordination.services.granting import TryAgain
from coordination.services.results import Answer
from coordination.store import claims, grounds, instances, queue
from tenants import ids, ledger
from tenants.db import Row, Transaction, busy, in_transaction, transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem, invalid, not_found
from tenants.selectors.projects import ProjectRef, project_resolve, repositories_of

_CHANGEABLE = frozenset({"intent", "lane", "status", "branch", "capabilities"})
_STATUSES = ("active", "idle", "waiting")
_TRIES = 4


def register(
    principal: Principal,
    project: str,
    *,
    agent: str,
    tool: str = "",
    model: str = "",
    thread_id: str | None = None,
    host: str = "",
    worktree: str = "",
    branch: str = "",
    repository: str | None = None,
    parent: str | None = None,
    capabilities: tuple[str, ...] = (),
    intent: str = "",
    lane: str = "",
) -> Answer:
    """Register a run, or resume it: the same credential, agent, worktree and thread id is the same run.

    Without a thread id it is always a new instance. Resuming raises the epoch, so an older copy of the run is told
    apart. A child's parent must share its credential; its claims belong to the root.
    """
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    if principal.agent is not None and agent != principal.agent:
        raise Problem(
            Code.FORBIDDEN, f"This token is bound to agent {principal.agent}, not {agent}.", needs=["its own agent"]
        )
    repository_id = _repository_id(principal, ref, repository)
    said = {
        "tool": tool,
        "model": model,
        "host": host,
        "branch": branch,
        "repository_id": repository_id,
        "capabilities": list(capabilities),
        "intent": intent,
        "lane": lane,
    }
    with transaction(principal.team_id) as tx:
        lock_run(tx, ref, acting.credential(principal), agent, worktree, thread_id)
        agent_id = instances.agent_id(tx, ref.id, agent, ids.new_id())
        run = {
            "project": ref.id,
            "credential": acting.credential(principal),
            "agent_id": agent_id,
            "worktree": worktree,
            "thread_id": thread_id,
        }
        found = instances.find_run(tx, run) if thread_id else None
        if found is not None:
            return _resume(tx, principal, ref, found, said)
        return _create(tx, principal, ref, agent, run, said, _parent(tx, principal, ref, parent))


def _repository_id(principal: Principal, ref: ProjectRef, slug: str | None) -> UUID | None:
    known = repositories_of(principal, ref.id)
    if slug is None:
        return next((r.id for r in known.values() if r.is_default), None)
    if slug not in known:
        names = ", ".join(sorted(known)) or "none yet"
        raise invalid("repository", "unknown_repository", f"no repository {slug!r} here; there is {names}")
    return known[slug].id


def lock_run(
    tx: Transaction, ref: ProjectRef, credential: str, agent: str, worktree: str, thread_id: str | None
) -> None:
    """Two registrations of one run at once must not make two instances."""
    if thread_id:
        key = "\x1f".join((str(ref.id), credential, agent, worktree, thread_id))
        tx.run("SELECT pg_advisory_xact_lock(5, hashtext(%s))", [key])


def _parent(tx: Transaction, principal: Principal, ref: ProjectRef, parent: str | None) -> Row | None:
    if parent is None:
        return None
    found = ids.parse("ins", parent.partition(".")[0])
    row = instances.find(tx, ref.id, found) if found else None
    if row is None:
        raise not_found("parent instance")
    if row["credential"] != acting.credential(principal):
        raise invalid("parent", "another_credential", "a parent shares the credential of its children")
    if row["ended_at"] is not None:
        raise Problem(Code.INSTANCE_ENDED, "The parent instance has ended.")
    return row


def _create(
    tx: Transaction, principal: Principal, ref: ProjectRef, agent: str, run: Row, said: Row, parent: Row | None
) -> Answer:
    instance_id = ids.new_id()
    _, last = ledger.head(tx, ref.id)
    names = {
        "id": instance_id,
        "project_id": ref.id,
        "agent_id": run["agent_id"],
        "agent_name": agent,
        "root_id": parent["root_id"] if parent else instance_id,
        "parent_id": parent["id"] if parent else None,
        "credential": run["credential"],
        "worktree": run["worktree"],
        "thread_id": run["thread_id"],
        "epoch": 1,
        "status": "active",
        # What was said before it came is not news to it, but messages to its agent's name are (inbox).
        "inbox_cursor": last,
    }
    instances.insert(tx, names | said)
    _tell(tx, principal, ref, instance_id, "instance.registered", {"agent": agent, "tool": said["tool"]})
    return Answer("created", _shown(tx, ref, instance_id))


def _resume(tx: Transaction, principal: Principal, ref: ProjectRef, found: Row, said: Row) -> Answer:
    instances.update(tx, found["id"], {name: value for name, value in said.items() if value})
    epoch = instances.resume(tx, found["id"])
    _tell(tx, principal, ref, found["id"], "instance.resumed", {"agent": found["agent_name"], "epoch": epoch})
    return Answer("ok", _shown(tx, ref, found["id"], resumed=True))


def _tell(
    tx: Transaction, principal: Principal, ref: ProjectRef, instance_id: UUID, kind: str, said: dict[str, Any]
) -> None:
    fact = Fact(kind, "instance", ids.show("ins", instance_id), said)
    ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=instance_id)


def _shown(tx: Transaction, ref: ProjectRef, instance_id: UUID, *, resumed: bool = False) -> dict[str, Any]:
    row = instances.find(tx, ref.id, instance_id)
    assert row is not None
    return shapes.instance(row, resumed=resumed)


def own(tx: Transaction, principal: Principal, ref: ProjectRef, instance_id: str) -> Row:
    """An instance of the caller's credential; 404 when absent, 403 when it is another's."""
    found = ids.parse("ins", instance_id.partition(".")[0])
    row = instances.find(tx, ref.id, found) if found else None
    if row is None:
        raise not_found("instance")
    if row["credential"] != acting.credential(principal) and not principal.allows(Permission.CLAIMS_RELEASE_ANY):
        raise Problem(
            Code.FORBIDDEN,
            "That instance was registered with another credential.",
            needs=[str(Permission.CLAIMS_RELEASE_ANY)],
        )
    return row


def change(principal: Principal, project: str, instance_id: str, **changes: Any) -> Answer:
    """Change what an instance says of itself: intent, lane, status, branch, capabilities."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    wanted = {name: value for name, value in changes.items() if name in _CHANGEABLE and value is not None}
    if "status" in wanted and wanted["status"] not in _STATUSES:
        raise invalid("status", "unknown", f"an instance says {', '.join(_STATUSES)} of itself")
    if "capabilities" in wanted:
        wanted["capabilities"] = list(wanted["capabilities"])
    with transaction(principal.team_id) as tx:
        row = own(tx, principal, ref, instance_id)
        if row["ended_at"] is not None:
            raise Problem(Code.INSTANCE_ENDED)
        if wanted:
            instances.update(tx, row["id"], wanted)
            _tell(tx, principal, ref, row["id"], "instance.changed", {"agent": row["agent_name"], **wanted})
        return Answer("ok", _shown(tx, ref, row["id"]))


def heartbeat(principal: Principal, project: str, instance_id: str) -> Answer:
    """Renew presence and leases; answers the instance, its claims with the time left, and how much is unread."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    asking = principal.acting(instance=instance_id)
    with transaction(principal.team_id, lean=True) as tx:
        me = acting.acting_in(tx, asking, ref)
        instances.touch(tx, [me.instance_id, me.holder_id])
        claims.renew_due(tx, ref.id, me.holder_id)
        held = claims.held_by(tx, ref.id, me.holder_id, 200)
        unread = ledger.read(
            tx, ref.id, after=me.policy["inbox_cursor"], limit=50, recipients=inbox_of(me.instance_id, me)
        )
        return Answer(
            "ok",
            {
                "instance": _shown(tx, ref, me.instance_id),
                "claims": [shapes.claim(row) for row in held],
                "unread": len(unread),
                "lapses_if_silent_after": me.silence_limit(),
            },
        )


def inbox_of(instance_id: UUID, me: acting.Acting) -> list[str]:
    """The ledger recipients an instance reads: itself, its holder, its agent's name, everybody."""
    return list(dict.fromkeys([f"ins:{instance_id}", f"ins:{me.holder_id}", f"agt:{me.agent_id}", "all"]))


def end(principal: Principal, project: str, instance_id: str) -> Answer:
    """End a run: what it holds is released, what it waits for is cancelled, and so for those it started. Idempotent."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    for _ in range(_TRIES):
        try:
            return _end_once(principal, ref, instance_id)
        except TryAgain:
            if in_transaction():
                break
    raise busy()


def _end_once(principal: Principal, ref: ProjectRef, instance_id: str) -> Answer:
    with transaction(principal.team_id) as tx:
        row = own(tx, principal, ref, instance_id)
        root = row["root_id"] == row["id"]
        wanted = claims.held_ids(tx, ref.id, holder_id=row["id"]) if root else []
        grounds.lock_claims(tx, ref.id, wanted)  # ground goes before rows
        ended = instances.end(tx, row["id"])
        released: dict[str, Any] = {"released": [], "lost": []}
        if root:
            if not set(wanted).issuperset(claims.held_ids(tx, ref.id, holder_id=row["id"])):
                raise TryAgain  # it was granted something meanwhile
            released = leases.release_all(
                tx, principal, ref, wanted, None, by=f"{row['agent_name']} ended", state="released"
            )
            waiting = [entry["id"] for entry in queue.waiting(tx, ref.id, holders=[row["id"]])]
            for entry in queue.end(tx, waiting, state="cancelled", why="its instance ended"):
                fact = Fact("queue.cancelled", "queue_entry", ids.show("que", entry), {"why": "its instance ended"})
                ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=row["id"])
                tx.after_commit(partial(notify.wake, f"que:{entry}"))
            tx.after_commit(lambda: drains.drain_soon(principal.team_id, ref.id))
        for gone in ended:
            _tell(tx, principal, ref, gone, "instance.ended", {"agent": row["agent_name"]})
        return Answer("ok", {"instance": _shown(tx, ref, row["id"])} | released)

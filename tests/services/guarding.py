"""Runs whose tools ask the guard, for tests: one hook call, one answer."""

from dataclasses import dataclass, field
from typing import Any

from coordination.engine.guard.types import Danger, Event, Touch
from coordination.services.guard import judging
from coordination.services.guard.calls import HookCall
from tenants import ids
from tenants.db import transaction
from tenants.permissions import PRESETS
from tenants.principal import Actor, Principal
from tests.making import Place

Body = dict[str, Any]


@dataclass
class Session:
    """One session of a tool, with a credential of its own unless another's is given."""

    place: Place
    agent: str
    principal: Principal
    session: str = "s1"
    where: dict[str, str] = field(default_factory=dict)

    def call(self, event: str, **said: Any) -> Body:
        """The answer to a hook call of this session."""
        told = {"session": self.session, "agent": self.agent, "tool": "claude-code", **self.where, **said}
        return judging.judge(self.principal, "main", HookCall(event=Event(event), **told)).body

    def start(self, source: str = "startup", **said: Any) -> Body:
        """A session begins."""
        return self.call("session_start", source=source, **said)

    def edit(self, *paths: str, **said: Any) -> Body:
        """These files are about to be written."""
        return self.call("pre_tool", touches=tuple(Touch(path, "write") for path in paths), **said)

    def delete(self, *paths: str) -> Body:
        """These are about to be deleted."""
        return self.call("pre_tool", touches=tuple(Touch(path, "delete") for path in paths))

    def git(self, verb: str, *paths: str, what: str = "worktree") -> Body:
        """A dangerous git command is about to run."""
        return self.call("pre_tool", dangers=(Danger(verb, paths, what),))

    def holding(self, handle: str) -> "Session":
        """The same session, naming its run."""
        return Session(self.place, self.agent, self.principal.acting(instance=handle), self.session, self.where)


def session(place: Place, agent: str, session: str = "s1", *, like: Session | None = None, **where: str) -> Session:
    """A session of an agent; with the credential of ``like`` where it is given."""
    actor = Actor("token", ids.show("tok", ids.new_id()), f"{agent}'s token")
    principal = (
        like.principal.acting(instance=None) if like else Principal(place.team_id, place.slug, actor, PRESETS["agent"])
    )
    return Session(place, agent, principal, session, where)


def events(place: Place, kind: str) -> list[Body]:
    """The data of a type's events in the ledger, in order."""
    with transaction(place.team_id) as tx:
        rows = tx.run(
            "SELECT data FROM tenants_event WHERE team_id = %s AND type = %s ORDER BY id", [place.team_id, kind]
        ).fetchall()
    return [row["data"] for row in rows]


def statuses(answer: Body) -> dict[str, str]:
    """The status of each path of an answer."""
    return {finding["path"]: finding["status"] for finding in answer["findings"]}

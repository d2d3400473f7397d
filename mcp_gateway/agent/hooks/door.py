"""The server, as the hook calls of one session in one checkout meet it."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from coordination.engine.guard.types import Danger, Event, ToolUse
from mcp_gateway.agent import processes, runs
from mcp_gateway.agent.hooks import words
from mcp_gateway.agent.hooks.memory import Memory
from mcp_gateway.agent.hooks.targets import Group
from mcp_gateway.agent.http import Client, NotAllowed, Refused, Unreachable
from mcp_gateway.agent.output import UserError
from mcp_gateway.agent.repo import branch
from mcp_gateway.agent.runs import Run
from mcp_gateway.agent.settings import INSTANCE, load

SECONDS = 5.0
# So long the server is not asked again after it could not be reached: an agent shall not wait at every edit.
PAUSE_SECONDS = 10.0
MOST_TOUCHES = 500
# The process goes on under another session; the run is kept for it.
KEPT = ("clear", "resume")
# Clients with one session at a time in a process: another one there is the next one.
_SINGLE = ("claude-code", "gemini")
# The record of a run that a hook began says so; others were registered for a process whose session was not known.
_BY_HOOK = "hook"
_ROOT = "root"

Body = dict[str, Any]


class Away(Exception):
    """The server cannot be asked; the text is why, in half a sentence."""


class Door:
    """Calls `POST guard` for one session."""

    def __init__(self, client: str, use: ToolUse, group: Group, memory: Memory, env: Mapping[str, str]) -> None:
        """Raises NotConfigured."""
        self.settings = load(group.start, env)
        self.client = client
        self.use = use
        self.group = group
        self.memory = memory
        self.env = env
        self.told: list[str] = []  # what came up for the model besides the answer

    def judge(self, touches: Mapping[str, str], dangers: Sequence[Danger]) -> list[Body]:
        """The answers on touches and dangers, one for each part that fits into a call. Raises Away."""
        items = [{"path": path, "action": action} for path, action in touches.items()]
        parts = [items[at : at + MOST_TOUCHES] for at in range(0, len(items), MOST_TOUCHES)] or [[]]
        risks = [{"verb": d.verb, "paths": list(d.paths)[:MOST_TOUCHES], "what": d.what} for d in dangers[:50]]
        answers = []
        for number, part in enumerate(parts):
            body: Body = {"touches": part, "opaque": self.use.opaque}
            answers.append(self.call(Event.PRE_TOOL, body | ({"dangers": risks} if risks and not number else {})))
        return answers

    def call(self, event: Event, body: Body) -> Body:
        """One hook call on behalf of the session's run, which is begun where it is not known. Raises Away."""
        run = self.run()
        answer = self._post(event, body, run.handle)
        if _stale(answer, run):
            # The run was resumed while this call was under way; if that was this very session, its new handle is there.
            fresh = runs.find(self.settings, self.group.checkout, self.env, thread_id=self.use.session)
            if fresh is not None and fresh.handle != run.handle:
                answer = self._post(event, body, fresh.handle)
        return answer

    def run(self) -> Run:
        """The session's run. Raises Away."""
        found = self.found()
        return found if found is not None else self.begin()[0]

    def found(self) -> Run | None:
        """The session's run where it is recorded."""
        return runs.find(self.settings, self.group.checkout, self.env, thread_id=self.use.session)

    def begin(self) -> tuple[Run, Body]:
        """Register or resume the session's run, and record it: at its start, or with the first call that is seen of it.

        Of several first calls at once one registers. A session named by INTERLOCK_INSTANCE is not begun. Raises Away.
        """
        if named := self.env.get(INSTANCE, "").strip():
            run = self.found() or Run(named, named.partition(".")[0])
            return run, self._post(Event.PROMPT, {}, run.handle)
        with runs.locked(self.settings):
            known = self.found()
            if known is not None and self.use.event is not Event.SESSION_START:
                return known, {}
            return self._register(known or runs.earlier(self.settings, self.use.session))

    def _register(self, known: Run | None) -> tuple[Run, Body]:
        before = runs.beside(self.settings, self.use.session)
        parent = self._parent(before)
        said = {
            "session": self.use.session,
            "agent": self.settings.agent or (known.agent if known else ""),
            "tool": self.client,
            "model": self.use.model[:120],
            "worktree": known.worktree if known else "",
            "parent": parent,
            # A client that clears without a word: the first that is heard of the new session is an edit.
            "source": self.use.source if self.use.event is Event.SESSION_START else "clear" if parent else "",
        }
        answer = self._post(Event.SESSION_START, {name: value for name, value in said.items() if value}, "")
        run = runs.from_instance(
            answer["instance"],
            self.use.session,
            processes.client(processes.ancestors()),
            known.worktree if known else str(self.group.checkout.top),
        )
        run.policy, run.offline, run.probe = answer["policy"], answer["offline"], answer["guard"]["probe"]
        run.more = {_BY_HOOK: self.client} | ({_ROOT: parent} if _unnamed(before, parent) else {})
        for other in before:
            if self.client in _SINGLE or self.use.source in KEPT or _BY_HOOK not in other.more:
                runs.forget(self.settings, other)
        runs.record(self.settings, run)
        self.memory.is_shared(runs.has_copies(self.settings, run))
        if self.use.event is not Event.SESSION_START:
            self.told.append(self.greeting(answer))
        return run, answer

    def _parent(self, before: Sequence[Run]) -> str:
        """The run that this session goes on for, so that both are one holder; empty for none."""
        if self.use.parent:
            parent = runs.earlier(self.settings, self.use.parent)
            return parent.instance if parent else ""
        for other in before:
            unnamed = _BY_HOOK not in other.more
            if unnamed or self.use.source == "clear" or (self.client in _SINGLE and self.use.source != "resume"):
                return other.instance
        return ""

    def greeting(self, answer: Body) -> str:
        """What a session is told at its start."""
        return "\n".join(line for line in (answer["context"], words.protocol()) if line)

    def end(self) -> None:
        """The session is over. Raises Away."""
        run = self.found()
        if run is None:
            return
        if self.use.source not in KEPT and INSTANCE not in self.env:
            runs.forget(self.settings, run)
        if INSTANCE in self.env:
            return
        self._post(Event.SESSION_END, {"source": self.use.source}, run.handle)
        root = run.more.get(_ROOT)
        if root and self.use.source not in KEPT:
            # What tools began before the first hook was heard is over, too.
            with contextlib.suppress(UserError):
                Client(self.settings, timeout=SECONDS, retries=0).request("DELETE", f"instances/{root}")

    def _post(self, event: Event, body: Body, handle: str) -> Body:
        if self.memory.away:
            raise Away("it did not answer a moment ago")
        where = {
            "event": event.value,
            "worktree": str(self.group.checkout.top),
            "host": runs.host(),
            "branch": branch(self.group.checkout)[:250],
            "repository": self.settings.repository,
        }
        http = Client(self.settings, instance=handle, timeout=SECONDS, retries=0)
        try:
            answer = http.request("POST", "guard", {k: v for k, v in where.items() if v} | body)
        except Unreachable as error:
            self.memory.is_away(PAUSE_SECONDS)
            raise Away(str(error)) from None
        except NotAllowed as error:
            raise Away(f"the token is not let in: {error}") from None
        except Refused as error:
            raise Away(str(error)) from None
        if answer.refused or not isinstance(answer.body, dict) or "decision" not in answer.body:
            raise Away(f"it answered {answer.status} {answer.problem}".strip())
        self.memory.is_back()
        self.memory.learn(answer.body["policy"], answer.body["offline"])
        return answer.body


def _unnamed(before: Sequence[Run], parent: str) -> bool:
    """Whether the parent was registered for this process before its session was known."""
    return any(run.instance == parent and _BY_HOOK not in run.more for run in before)


def _stale(answer: Body, run: Run) -> bool:
    """Whether a newer copy of the run than the one that asked is known to the server."""
    instance = answer.get("instance") or {}
    return instance.get("id") == run.instance and instance.get("handle") != run.handle

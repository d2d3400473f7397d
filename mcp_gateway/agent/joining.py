"""Which run the messages of an MCP client are: its session's, found by process ancestry, registered when there is none.

So what a model does through tools, its shell commands, its hooks and its commits are one instance, and the model
need not pass a handle on. A handle that it does pass goes before everything.
"""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp_gateway.agent import processes, runs
from mcp_gateway.agent.http import Client
from mcp_gateway.agent.output import UserError
from mcp_gateway.agent.process import Process
from mcp_gateway.agent.repo import Checkout, branch
from mcp_gateway.agent.runs import Run
from mcp_gateway.agent.settings import INSTANCE, Settings, load, workplace

# What `sync` says of a run, and `POST instances` takes.
_SAID = ("agent", "tool", "model", "thread_id", "worktree", "branch", "repository", "intent", "lane")
_OVER = ("instance_ended", "not_found")


class Joining:
    """The run behind one bridge. Its methods may be called by several threads."""

    def __init__(self, cwd: Path, env: Mapping[str, str] = os.environ) -> None:
        self.cwd = cwd
        self.env = env
        self.tool = ""  # as the client calls itself
        self._own: Run | None = None  # where nothing could be written down
        self._lock = threading.Lock()

    def settings(self) -> Settings:
        """Read anew each time: `interlock init` need not restart anything. Raises NotConfigured."""
        return load(self.cwd, self.env)

    def acting(self, settings: Settings, arguments: Mapping[str, Any]) -> str:
        """The handle a tool call acts under; registers the session where it has none. Empty: the server is to tell.

        `arguments` are the tool's: what they say of the run is what it is registered as.
        """
        checkout = self._checkout()
        named = arguments.get("instance")
        found = self._found(settings, checkout)
        if isinstance(named, str) and named:
            # A handle of this very run that was resumed since: the session is the same, its epoch has moved on.
            same = found is not None and named.partition(".")[0] == found.instance
            return found.handle if same and found is not None else named
        if found is None:
            found = self._join(settings, checkout, arguments)
        return found.handle if found else ""

    def over(self, settings: Settings, handle: str, problem: str) -> bool:
        """Whether a call that was refused with a problem is worth another try, under another handle.

        The run has ended, or this server never knew it: then its record goes. Or it was resumed while the call
        was on its way.
        """
        if problem not in (*_OVER, "instance_superseded") or self.env.get(INSTANCE):
            return False
        found = self._found(settings, self._checkout())
        if found is None or found.handle != handle:
            return True
        if problem in _OVER:
            runs.forget(settings, found)
            self._own = None
            return True
        return False

    def _checkout(self) -> Checkout | None:
        return workplace(self.cwd)[0]

    def _found(self, settings: Settings, checkout: Checkout | None) -> Run | None:
        return runs.find(settings, checkout, self.env, hosted=True) or self._own

    def _join(self, settings: Settings, checkout: Checkout | None, arguments: Mapping[str, Any]) -> Run | None:
        """Register this session. None where that is refused: the gateway refuses it as well, in words for a model."""
        with self._lock, runs.locked(settings):
            found = self._found(settings, checkout)
            if found is not None:
                return found
            client = Client(settings)
            owner = processes.client(processes.session(processes.ancestors()))
            said = {name: value for name in _SAID if (value := arguments.get(name))}
            try:
                told = self._told(settings, client, checkout, owner) | said
                answer = client.request("POST", "instances", told)
            except UserError:
                return None
            if answer.refused:
                return None
            made = runs.from_instance(answer.body, str(told["thread_id"]), owner, runs.worktree_of(checkout))
            runs.record(settings, made)
            self._own = made
            return made

    def _told(
        self, settings: Settings, client: Client, checkout: Checkout | None, owner: Process | None
    ) -> dict[str, Any]:
        tool = self.tool or "mcp"
        told = {
            "agent": runs.agent_name(settings, client, checkout),
            "tool": tool,
            # One for each bridge: a client starts one for each of its sessions.
            "thread_id": f"{runs.thread_of(owner, tool)}:{os.getpid()}"[:200],
            "worktree": runs.worktree_of(checkout),
            "branch": branch(checkout) if checkout else "",
            "host": runs.host(),
            "repository": settings.repository,
        }
        return {name: value for name, value in told.items() if value}

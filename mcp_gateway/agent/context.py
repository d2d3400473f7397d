"""What a command works with: settings, checkout, client and run, each looked up when it is first asked for."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_gateway.agent.repo import Checkout
from mcp_gateway.agent.settings import Settings, load, workplace

if TYPE_CHECKING:  # a hook that needs no network shall not pay for it
    from mcp_gateway.agent.http import Answer, Client
    from mcp_gateway.agent.runs import Run


class Context:
    """Handed to every command.

    Attributes:
        json: whether the answer is for a program.
        cwd: where the command was typed.
        env: the environment.
    """

    def __init__(self, *, json: bool = False, cwd: Path | None = None, env: Mapping[str, str] = os.environ) -> None:
        self.json = json
        self.cwd = cwd or Path.cwd()
        self.env = env

    @cached_property
    def settings(self) -> Settings:
        """Raises NotConfigured."""
        return load(self.cwd, self.env)

    @cached_property
    def checkout(self) -> Checkout | None:
        """The checkout that ground is relative to; None outside of any."""
        return workplace(self.cwd)[0]

    @cached_property
    def client(self) -> "Client":
        """Calls without a run; see `acting`."""
        from mcp_gateway.agent.http import Client

        return Client(self.settings)

    @property
    def found(self) -> "Run | None":
        """The run of this session where there is one; none is registered."""
        from mcp_gateway.agent import runs

        return runs.find(self.settings, self.checkout, self.env)

    @cached_property
    def run(self) -> "Run":
        """The run of this session; registered when there is none yet."""
        from mcp_gateway.agent import runs

        return runs.ensure(self.settings, self.client, self.checkout)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> "Answer":
        """One call on behalf of this session's run.

        A run of a shell that has ended (its process slept over its time) is registered anew, once. Raises what
        `Client.request` raises, and Refused for a run that is no longer good for anything.
        """
        from mcp_gateway.agent import runs
        from mcp_gateway.agent.http import Refused
        from mcp_gateway.agent.output import EXIT_NO
        from mcp_gateway.agent.settings import INSTANCE

        answer = self.client.acting(self.run.handle).request(method, path, body, query, timeout)
        if answer.problem not in ("instance_ended", "instance_superseded"):
            return answer
        stale = self.run.handle
        if not self.env.get(INSTANCE):
            fresh = runs.find(self.settings, self.checkout, self.env)
            if fresh is not None and fresh.handle == stale and self.run.tool == "shell":
                runs.forget(self.settings, fresh)
                fresh = None
            if fresh is None or fresh.handle != stale:
                del self.__dict__["run"]  # looked up again by the next line
                answer = self.client.acting(self.run.handle).request(method, path, body, query, timeout)
                if answer.problem not in ("instance_ended", "instance_superseded"):
                    return answer
        raise Refused(answer.body, answer.status, EXIT_NO)

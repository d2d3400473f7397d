"""What each git hook works with, and how it ends when something is in the way."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mcp_gateway.agent import files, runs
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.git import Change
from mcp_gateway.agent.hooks.memory import Memory
from mcp_gateway.agent.http import Client
from mcp_gateway.agent.output import warn
from mcp_gateway.agent.repo import branch, checkout_of
from mcp_gateway.agent.runs import Run
from mcp_gateway.agent.settings import NotConfigured

SECONDS = 10.0
GO_ON, STOP = 0, 1


class Desk:
    """One call of a git hook. Git runs hooks at the top of the working tree, with its own variables set."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.cwd = context.cwd

    @cached_property
    def wired(self) -> bool:
        """Whether there is anything to ask; says it where there is not."""
        try:
            self.context.settings  # noqa: B018 - looked up here
        except NotConfigured as error:
            warn(f"interlock: nothing is checked here: {error}")
            return False
        # A submodule without settings of its own is another repository, whatever lies around it.
        return self.context.checkout is not None and self.context.checkout == checkout_of(self.cwd)

    @cached_property
    def run(self) -> Run | None:
        """The run that commits; None for a person's own commit."""
        return self.context.found

    @property
    def client(self) -> Client:
        """Calls on behalf of the run where there is one."""
        return Client(self.context.settings, instance=self.run.handle if self.run else "", timeout=SECONDS, retries=1)

    @property
    def branch(self) -> str:
        """The branch that is checked out."""
        return branch(self.context.checkout) if self.context.checkout else ""

    @property
    def offline(self) -> str:
        """The offline policy, as the server last said it."""
        told = self.run.offline if self.run else ""
        return told or Memory(self._folder, "", "").offline or "open"

    def away(self, why: str, what: str) -> int:
        """The server cannot be asked: the offline policy decides."""
        if self.offline == "closed":
            warn(f"interlock: {what} was refused: {why} The project's offline policy is closed.")
            warn("Next: run `interlock doctor`, or try again. `--no-verify` goes past this, the gate in CI does not.")
            return STOP
        warn(f"interlock: {what} was not checked: {why}")
        return GO_ON

    def keep(self, changes: Sequence[Change], said: dict[str, Any]) -> None:
        """What was found of a commit that is being made, for the message of the same commit."""
        if self.run is not None:
            text = json.dumps(said | {"instance": self.run.instance, "content": digest(changes)})
            files.make(self._folder)
            files.write_private(self._note, text)

    def kept(self, changes: Sequence[Change]) -> dict[str, Any]:
        """The same, where it is of this run and of this very content."""
        try:
            said = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        same = isinstance(said, dict) and self.run is not None and said.get("instance") == self.run.instance
        return said if same and said.get("content") == digest(changes) else {}

    @property
    def _folder(self) -> Path:
        return runs.folder_of(self.context.settings)

    @property
    def _note(self) -> Path:
        return self._folder / f"{self.run.instance if self.run else 'nobody'}.commit"


def digest(changes: Sequence[Change]) -> str:
    """What tells one set of changes from another."""
    told = "\0".join(sorted(f"{change.path}\0{change.blob}" for change in changes))
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()

"""What a hook call says, as the guard's services take it from every door; and what was seen of who made it."""

from dataclasses import dataclass
from typing import Any

from coordination.engine.guard.types import Danger, Event, Touch
from coordination.services.acting import Acting
from coordination.store.scenes import Scene
from tenants.db import Row

Shape = dict[str, Any]

OBSERVE, AUTO_CLAIM, STRICT = "observe", "auto-claim", "strict"


@dataclass(frozen=True, slots=True)
class HookCall:
    """One hook call. Paths are the repository's (engine.guard.paths); contents of files are never in it.

    ``door`` is how it came in: ``command`` or ``http``. ``session`` is the client's id of the session, ``parent`` the
    instance of an earlier session of the same process. A ``worktree`` of None is any; ``source`` is the client's word
    for why a session began or ended; ``dirty`` are the paths that changed without a guard having been asked.
    """

    event: Event
    door: str = "command"
    session: str = ""
    agent: str = ""
    tool: str = ""
    model: str = ""
    worktree: str | None = None
    host: str = ""
    branch: str = ""
    repository: str | None = None
    parent: str | None = None
    source: str = ""
    touches: tuple[Touch, ...] = ()
    dangers: tuple[Danger, ...] = ()
    dirty: tuple[str, ...] = ()
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The run that called, its own row (store.instances), and what stands near the paths in question.

    ``first``: no hook of this run had called before.
    """

    me: Acting
    row: Row
    scene: Scene
    first: bool = False

    @property
    def policy(self) -> str:
        """The project's guard policy."""
        return str(self.me.policy["guard_policy"])

    @property
    def frozen(self) -> bool:
        """Whether the project grants nothing now."""
        return self.me.policy["frozen_at"] is not None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is not let through: ``why`` is a word for the ledger, ``reason`` the sentences for the model.

    ``held_by`` are the agents in the way.
    """

    why: str
    reason: str
    paths: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()
    verb: str = ""

"""What a hook call says, whichever client made it: the event, who runs where, and what is about to be touched."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Event(enum.StrEnum):
    """The moments a client calls a hook at, under one name for all clients."""

    SESSION_START = "session_start"
    PROMPT = "prompt"
    PRE_TOOL = "pre_tool"
    POST_TOOL = "post_tool"
    STOP = "stop"
    SESSION_END = "session_end"


# Longer than any system takes.
MAX_PATH = 4096

WRITE, DELETE = "write", "delete"
WORKTREE, INDEX, STASH, HEAD = "worktree", "index", "stash", "head"


@dataclass(frozen=True, slots=True)
class Touch:
    """A file (or, for a shell command, a file or a folder) that is written or goes away.

    Attributes:
        path: as the tool said it: absolute, relative to the `cwd` of the call, or in the home folder (`~/x`);
            `paths.relative` makes the first two one of the repository.
        action: `write` or `delete`.
    """

    path: str
    action: str


@dataclass(frozen=True, slots=True)
class Danger:
    """A git command that throws away or moves what another run in the same checkout may stand on.

    Attributes:
        verb: the command without its arguments: `git reset --hard`.
        paths: what it is limited to, as written; empty is the whole checkout.
        what: `worktree`, `index`, `stash` or `head`.
        where: the folder git is told to run in, absolute or relative to the `cwd` of the call; empty is that `cwd`.
            `paths` are worked out already, relative to the `cwd` of the call.
    """

    verb: str
    paths: tuple[str, ...]
    what: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One hook call.

    Attributes:
        session: the client's own id of the session; empty where it sent none.
        cwd: the directory the call is made in; empty where the client sent none.
        tool: the client's name of the tool; empty for events without one.
        touches, dangers: what can be read off, in reading order and without repeats. The same for `pre_tool` and
            `post_tool`; other events have none.
        source: for `session_start` and `session_end` the client's word (`startup`, `resume`, `clear`, `compact`;
            `logout`, ...); `subagent` for the stop of a subagent, after which the run itself goes on.
        model: the model's name, where the client tells.
        parent: the client's id of the session this one was started by, where the client tells.
        opaque: the tool call writes, or runs code given with it, and where it writes could not be read off.
    """

    event: Event
    session: str
    cwd: str
    tool: str
    touches: tuple[Touch, ...]
    dangers: tuple[Danger, ...]
    source: str = ""
    model: str = ""
    parent: str = ""
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a shell command does to files, as far as it can be read: the fields are those of `ToolUse`."""

    touches: tuple[Touch, ...] = ()
    dangers: tuple[Danger, ...] = ()
    opaque: bool = False


class PayloadError(ValueError):
    """A hook payload that cannot be understood; the message is one sentence for a person."""

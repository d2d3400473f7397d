"""What a shell command writes, read off its text. Nothing is run."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence

from .types import Danger, Reading, Touch

_SEPARATORS = frozenset(";&|()\n")


def read_command(command: str, cwd: str) -> Reading:
    """What `command` (POSIX sh or bash) writes when run in `cwd`. Never raises: what is not understood is opaque."""
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        words = list(lexer)
    except ValueError:
        return Reading(opaque=True)
    touches = [Touch(after, "write") for word, after in itertools.pairwise(words) if word in (">", ">>")]
    touches = [touch for touch in touches if touch.path != "/dev/null"]
    if words[:2] == ["git", "reset"] and "--hard" in words:
        return Reading(tuple(touches), (Danger("git reset --hard", (), "worktree"),))
    if words[:1] in (["rm"], ["tee"]):
        action = "delete" if words[0] == "rm" else "write"
        touches += [Touch(word, action) for word in words[1:] if not word.startswith("-")]
    return Reading(tuple(touches))


def read_argv(argv: Sequence[str], cwd: str) -> Reading:
    """The same for a command that comes as a list of words, without a shell."""
    return read_command(shlex.join(argv), cwd)


def read_powershell(command: str, cwd: str) -> Reading:
    """The same for PowerShell."""
    return Reading(opaque=True)

"""Sentences of the hook itself: what it says when the server cannot be asked, and around what the server says."""

from collections.abc import Sequence

_MOST = 5


def listed(paths: Sequence[str]) -> str:
    """Some paths, and how many more."""
    plain = ["".join(c if c.isprintable() else "?" for c in path)[:200] for path in paths]
    more = f" and {len(plain) - _MOST} more" if len(plain) > _MOST else ""
    return ", ".join(plain[:_MOST]) + more


def let_through(why: str, paths: Sequence[str]) -> str:
    """Offline policy `open`: an edit nobody judged."""
    return (
        f"Interlock could not be asked ({why}), so nobody knows whether another agent holds {listed(paths)}. The "
        "project's offline policy lets you edit; it is written down and told when the server is back. `interlock "
        "doctor` looks for the cause."
    )


def held_back(why: str, paths: Sequence[str]) -> str:
    """Offline policy `closed`: no edit without a judgement."""
    what = f"of {listed(paths)}" if paths else "of this command"
    return (
        f"Refused, nothing was written: Interlock could not be asked {what} ({why}), and the project's offline policy "
        "is closed. Next: run `interlock doctor`, wait until the server answers, or ask a person to set the project's "
        "guard_offline to open."
    )


def started_alone(why: str, policy: str) -> str:
    """A session begins while the server is away."""
    rule = "refused until it answers" if policy == "closed" else "let through, written down, and told when it is back"
    return f"Interlock coordinates the agents on this repository and cannot be asked now ({why}). Edits are {rule}."


def back(paths: Sequence[str]) -> str:
    """The server answers again, and was told what was edited meanwhile."""
    return f"Interlock is back. It was told what you edited while it was away: {listed(paths)}."


def not_set_up(why: str) -> str:
    """The repository's hooks are there, this machine's settings are not."""
    return f"Interlock's hooks are in this repository, yet nothing guards edits on this machine: {why}"


def unnameable(paths: Sequence[str]) -> str:
    """Paths that the server has no words for."""
    return (
        f"Interlock cannot guard {listed(paths)}: the name is not UTF-8, holds control characters, or is longer than "
        "1,024 characters. Choose another name."
    )


def protocol() -> str:
    """What an agent has to know of working beside others."""
    return (
        "Claim what you are about to change (`interlock claim PATH…`), see who holds what (`interlock claims`), ask a "
        "holder (`interlock say`), give back what you are done with (`interlock release`). A refusal names the holder "
        "and the way on: take it, never write the file by another way."
    )


def bug(error: BaseException) -> str:
    """One line for whoever watches; never a traceback in an agent's face."""
    return f"interlock hook: {type(error).__name__}: {' '.join(str(error).split())[:300]}"

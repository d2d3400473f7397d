"""`pre-push` and `post-rewrite`: what leaves is held against what was attested, and what was rewritten is attested."""

import sys
from collections.abc import Iterator, Sequence

from mcp_gateway.agent import git, verifying
from mcp_gateway.agent.git import Change
from mcp_gateway.agent.githooks.commit import told
from mcp_gateway.agent.githooks.desk import GO_ON, STOP, Desk
from mcp_gateway.agent.output import warn

_MOST_REWRITTEN = 200
_WAY_OUT = "claim what is free and push again: what is covered then is attested; for what others hold, ask them."


def before(desk: Desk, arguments: Sequence[str]) -> int:
    """`pre-push REMOTE URL`, with a line for each ref: LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID."""
    remote = arguments[0] if arguments else ""
    ended = GO_ON
    for line in sys.stdin.read().splitlines():
        words = line.split(" ")
        if len(words) != 4 or not words[1].strip("0"):
            continue  # a deletion pushes no content
        changes = pushed(desk, remote, words[1], words[3])
        if changes:
            ended = max(ended, _push(desk, changes, words[0]))
    return ended


def pushed(desk: Desk, remote: str, local: str, there: str) -> list[Change]:
    """What the remote gets by a ref, measured from what the ref has there, else from where it left the main branch.

    Commits that any branch of the remote is known to have are no news to it, whoever made them.
    """
    if git.commit_of(local, desk.cwd) is None:
        return []  # a tag of something that is no commit
    start = there if there.strip("0") and git.commit_of(there, desk.cwd) else _left(desk, remote, local)
    return git.range_changes(start, local, desk.cwd, remote=remote)


def _left(desk: Desk, remote: str, local: str) -> str:
    """Where a branch left the remote's main one; empty where there is none to leave."""
    for name in ("HEAD", "main", "master"):
        main = git.commit_of(f"refs/remotes/{remote}/{name}", desk.cwd)
        if main is not None:
            return git.merge_base(main, local, desk.cwd) or ""
    return ""


def _push(desk: Desk, changes: Sequence[Change], ref: str) -> int:
    """Verify one ref. What a live claim of the run covers is attested as a whole, so that a squash of it is known."""
    try:
        if desk.run is not None:
            whole = [change for change in changes if change.patches != (change.patch,)]
            if whole:
                verifying.ask(desk.client, whole, attest=True, branch=desk.branch)
        found = verifying.ask(
            desk.client, changes, against="attestations", attest=desk.run is not None, branch=desk.branch
        )
    except verifying.Superseded as error:
        if error.code != "instance_ended":
            warn(f"interlock: the push was refused: {error}")
            return STOP
        desk.run = None
        return _push(desk, changes, ref)
    return told(found, f"push of {ref.removeprefix('refs/heads/')}", _WAY_OUT)


def rewritten(desk: Desk, arguments: Sequence[str]) -> int:
    """`post-rewrite amend|rebase`, with a line for each commit: OLD-ID NEW-ID. Says nothing, refuses nothing.

    What an amended or squashed commit comes to was in no commit before, so it is attested now that it is there.
    """
    fresh = list(dict.fromkeys(words[1] for line in sys.stdin.read().splitlines() if len(words := line.split()) > 1))
    if desk.run is None or not fresh:
        return GO_ON
    for part in _rounds(git.commit_changes(fresh[-_MOST_REWRITTEN:], desk.cwd)):
        try:
            verifying.ask(desk.client, part, attest=True, branch=desk.branch)
        except verifying.Superseded:
            return GO_ON
    return GO_ON


def _rounds(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Lists in which each path comes once."""
    left = list(changes)
    while left:
        now = {change.path: change for change in reversed(left)}
        yield list(now.values())
        left = [change for change in left if now[change.path] is not change]

"""`pre-commit` and `prepare-commit-msg`: a commit is held against the claims, attested, and says who made it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcp_gateway.agent import git, verifying
from mcp_gateway.agent.git import Change
from mcp_gateway.agent.githooks.desk import GO_ON, STOP, Desk
from mcp_gateway.agent.http import Client
from mcp_gateway.agent.output import UserError, clean, warn
from mcp_gateway.agent.wording import who

_MOST_CLAIMS = 5  # looked at for the task of a commit
# A commit that is made over: what it says was said by whoever made it.
_REPLAYED = ("rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD")
_WAY_OUT = "claim what is free and commit again; leave out what others hold (`git restore --staged PATH`)."
_NOT_OURS = ("merge", "squash")
_RUN = "Agent-Instance"
_OURS = (b"Agent: ", b"Agent-Instance: ", b"Agent-Task: ", b"Agent-Fence: ")


def before(desk: Desk, arguments: Sequence[str]) -> int:
    """`pre-commit`: what is staged is verified, and attested where a run commits."""
    changes = git.staged(desk.cwd)
    if not changes:
        return GO_ON
    if desk.run is None:
        return _persons(desk, changes)
    try:
        found = verifying.ask(desk.client, changes, attest=True, branch=desk.branch)
    except verifying.Superseded as error:
        if error.code != "instance_ended":
            warn(f"interlock: the commit was refused: {error}")
            return STOP
        return _persons(desk, changes)
    desk.keep(changes, _grounds(desk.client, found))
    return told(found, "commit", _WAY_OUT)


def told(found: verifying.Shape, what: str, way_out: str) -> int:
    """Say what is wrong, and whether git goes on."""
    if found["verdict"] == "pass":
        return GO_ON
    refused = found["verdict"] == "fail"
    warn(f"interlock: the {what} {'was refused' if refused else 'goes on, yet not all of it is covered'}.")
    for line in verifying.lines(found):
        warn(f"  {line}")
    if refused:
        warn(f"Next: {way_out}")
    return STOP if refused else GO_ON


def _persons(desk: Desk, changes: Sequence[Change]) -> int:
    """A commit without a run. Nothing is attested; ground that a run holds is warned of, or refused by the policy."""
    plain = Client(desk.context.settings, timeout=desk.client.timeout, retries=1)
    found = verifying.ask(plain, changes)
    held = [finding for finding in found["findings"] if finding["holder"] and finding["status"] != "lapsed"]
    open_ground = [finding for finding in found["findings"] if finding["status"] in ("unclaimed", "lapsed")]
    if found["policy"] == "off" or (not held and (found["policy"] == "warn" or not open_ground)):
        return GO_ON
    enforced = found["policy"] == "enforce"
    warn(f"interlock: you commit without a run{', which the policy `enforce` refuses' if enforced else ''}.")
    for finding in held[:10]:
        warn(f"  {clean(finding['path'])} is held by {clean(who(finding['holder']))}")
    if enforced and open_ground:
        warn(f"  {len(open_ground)} more are claimed by nobody, and nothing will attest them")
    if enforced:
        warn("Next: `interlock claim PATH…` in this shell, then commit: it acts as a run of yours. Or ask the holder;")
        warn("`git commit --no-verify` goes past this, the gate in CI does not.")
    return STOP if enforced else GO_ON


def _grounds(client: Client, found: verifying.Shape) -> dict[str, Any]:
    """The highest fence that covers the commit, and the task of its claims where it is one."""
    covering = [finding for finding in found["findings"] if finding["status"] == "covered"]
    fences = [int(finding["fence"]) for finding in covering]
    tasks = set()
    for claim in list(dict.fromkeys(finding["claim"] for finding in covering))[:_MOST_CLAIMS]:
        try:
            tasks.add(str(client.request("GET", f"claims/{claim}").body.get("task") or ""))
        except UserError:
            break  # a hint only
    tasks.discard("")
    return {"fence": max(fences, default=None), "task": tasks.pop() if len(tasks) == 1 else ""}


def message(desk: Desk, arguments: Sequence[str]) -> int:
    """`prepare-commit-msg FILE [SOURCE [COMMIT]]`: trailers say which run made the commit, where one did."""
    file = Path(arguments[0]) if arguments else None
    source = arguments[1] if len(arguments) > 1 else ""
    if desk.run is None or file is None or source in _NOT_OURS or _replayed(desk):
        return GO_ON
    text = file.read_bytes()
    written = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip() and line[0] != "#"]
    if not written:
        return GO_ON  # trailers alone would keep git from seeing that a commit was given up
    others = {line.partition(":")[2].strip() for line in written if line.lower().startswith(f"{_RUN.lower()}:")}
    if others - {desk.run.instance}:
        return GO_ON  # another run made it; who amends it does not become its author
    if others:
        file.write_bytes(_without(text, desk.run.instance))
    _put(file, desk, trailers(desk.run, desk.kept(git.staged(desk.cwd))))
    return GO_ON


def trailers(run: Any, said: Mapping[str, Any]) -> dict[str, str]:
    """What a commit says of who made it."""
    every = {
        "Agent": run.agent,
        _RUN: run.instance,
        "Agent-Task": said.get("task") or "",
        "Agent-Fence": str(said.get("fence") or ""),
    }
    return {name: value for name, value in every.items() if value}


def _without(text: bytes, instance: str) -> bytes:
    """A message without the trailers that this run gave it before: an amended commit may have another fence."""
    paragraphs = text.split(b"\n\n")
    for at, paragraph in enumerate(paragraphs):
        lines = paragraph.split(b"\n")
        if f"{_RUN}: {instance}".encode() in lines:
            paragraphs[at] = b"\n".join(line for line in lines if not line.startswith(_OURS))
    return b"\n\n".join(paragraphs)


def _put(file: Path, desk: Desk, said: Mapping[str, str]) -> None:
    """Add trailers that are not there yet, with git's own rules of where they belong.

    Nobody's settings of trailers apply: they could run a command for a name like ours, or leave it out.
    """
    comment = git.run(["config", "--get", "core.commentChar"], desk.cwd, codes=1).decode().strip() or "#"
    given = [f"--trailer={name}: {' '.join(value.split())}" for name, value in said.items()]
    # `replace` would take one of ours for another: git compares as much as the shorter name has.
    how = ["--in-place", "--no-divider", "--if-exists=addIfDifferent", "--if-missing=add"]
    whole = file if file.is_absolute() else desk.cwd / file
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    args = ["-c", f"core.commentChar={comment}", "interpret-trailers", *how, *given, str(whole)]
    git.run(args, whole.anchor, apart=True, more=alone)


def _replayed(desk: Desk) -> bool:
    checkout = desk.context.checkout
    return checkout is not None and any((checkout.git_dir / name).exists() for name in _REPLAYED)

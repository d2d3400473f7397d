"""Whether it fires: the MCP server started and asked, each hook run with a planted edit that must be refused.

Everything here acts as a run of its own that ends with the check, in a process of its own: a session that asks its
doctor keeps its claims, its run and its records.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcp_gateway.agent import runs
from mcp_gateway.agent.doctor import payloads
from mcp_gateway.agent.doctor.base import STEP, Check, Desk, Verdict, fail, ok
from mcp_gateway.agent.doctor.talking import Failed, Talk
from mcp_gateway.agent.output import UserError, clean
from mcp_gateway.agent.settings import INSTANCE
from mcp_gateway.agent.wiring import codex, githooks
from mcp_gateway.agent.wiring.edits import REFUSALS
from mcp_gateway.agent.wiring.texts import read_text
from mcp_gateway.agent.wiring.tool import Tool

TOOL = "verify"
"""A tool of the gateway that only reads."""
# A session's process: what runs under it is found by it, and by nothing above it.
_RELAY = """
import json, subprocess, sys
for command, payload in json.load(sys.stdin):
    done = subprocess.run(command, shell=True, input=payload.encode(), capture_output=True)
    print(json.dumps([done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")]))
"""


def mcp(desk: Desk) -> Verdict:
    """A whole MCP conversation with the command the tools start."""
    command = shutil.which("interlock", path=desk.env.get("PATH"))
    start = [command, "mcp"] if command else [sys.executable, "-P", "-m", "mcp_gateway.agent", "mcp"]
    with _own_run(desk) as handle:
        try:
            with Talk(start, desk.checkout.top, dict(desk.env) | {INSTANCE: handle}, min(STEP * 2, desk.left)) as talk:
                server = talk.initialize()
                names = talk.tools()
                if TOOL not in names:
                    return fail(f"the server offers {', '.join(names) or 'no tools'}", "upgrade the server")
                talk.call(TOOL, {"paths": [".interlock/probe/doctor"]})
        except Failed as error:
            return fail(str(error), f"run `{' '.join(start)}` and see what it says")
    return ok(f"{server}: {', '.join(names)}")


def hooks(desk: Desk) -> Iterator[Verdict]:
    """A planted edit through each tool's hook, as the tool would run it: it must be refused."""
    for tool in desk.tools:
        top = desk.checkout.main if tool is codex.CODEX else desk.checkout.top
        try:
            text = read_text(top / tool.hooks_file) or ""
            commands = {event: found[0] for event in tool.entries if (found := tool.hooks.commands(text, event))}
        except REFUSALS as error:
            yield fail(f"{tool.hooks_file}: {error}", "see `hooks`", tool.name)
            continue
        yield _probed(desk, tool, commands)


def git_hooks(desk: Desk) -> Iterator[Verdict]:
    """Our part of each git hook, run as git runs it, with an argument that makes it answer and do nothing."""
    where = githooks.place(desk.checkout)
    for name in githooks.NAMES:
        standing = githooks.standing(where.folder / name)
        if standing is not None:
            yield _answered(desk, standing, name)


def _answered(desk: Desk, path: Path, name: str) -> Verdict:
    command = githooks.probe(path, name)
    if command is None:
        return ok(f"{path} calls us in a line of its owner's, which was not run", name)
    try:
        done = subprocess.run(
            command,
            cwd=desk.checkout.top,
            env=dict(desk.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=min(STEP, desk.left),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        what = "it did not end in time" if isinstance(error, subprocess.TimeoutExpired) else str(error.strerror)
        return fail(f"{path}: {what}", f"chmod +x {path}, then `interlock doctor --fix`", name)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    if done.returncode == 0 and f"{name}: here" in out:
        return ok("answers", name)
    told = clean((err or out).strip().splitlines()[-1])[:300] if (err or out).strip() else "no word"
    return fail(f"{path} does not reach us (exit code {done.returncode}, {told})", "see `command`", name)


def _probed(desk: Desk, tool: Tool, commands: Mapping[str, str]) -> Verdict:
    session = f"doctor-{secrets.token_hex(8)}"
    said = payloads.probe(tool, str(desk.checkout.top), session)
    missing = [event for event, _ in said if event not in commands]
    if missing:
        return fail(f"no hook at {', '.join(missing)}", "interlock doctor --fix", tool.name)
    answers = _relayed(desk, [(commands[event], json.dumps(payload)) for event, payload in said])
    if answers is None:
        return fail(f"the hook did not answer within {STEP * 2:g} s", "see `connect` and `health`", tool.name)
    code, out, err = answers[1]
    if payloads.denied(code, out):
        return ok(f"`{commands[said[1][0]]}` refused the planted edit", tool.name)
    if code == 127 or "not found" in err or "not recognized" in err:
        return fail(f"the shell does not find `{commands[said[1][0]]}`", "see `command`", tool.name)
    told = clean((err or out).strip().splitlines()[-1])[:300] if (err or out).strip() else "no word"
    return fail(f"the planted edit was let through (exit code {code}, {told})", "see the lines above", tool.name)


def _relayed(desk: Desk, asked: list[tuple[str, str]]) -> list[tuple[int, str, str]] | None:
    env = {name: value for name, value in desk.env.items() if name != INSTANCE}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _RELAY],
            cwd=desk.checkout.top,
            env=env,
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=min(STEP * 2, desk.left),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@contextmanager
def _own_run(desk: Desk) -> Iterator[str]:
    """The handle of a run that lasts as long as the check."""
    me = desk.facts["me"]
    body: dict[str, Any] = {
        "agent": me.get("agent") or "doctor",
        "tool": "doctor",
        "thread_id": f"doctor-{secrets.token_hex(8)}",
        "worktree": str(desk.checkout.top),
        "host": runs.host(),
        "repository": desk.settings.repository,
    }
    made = desk.client.request("POST", "instances", {name: value for name, value in body.items() if value})
    if made.refused:
        raise UserError(f"no run could be registered: {made.body.get('detail')}")
    try:
        yield str(made.body["handle"])
    finally:
        desk.client.request("DELETE", f"instances/{made.body['id']}")


CHECKS = [
    Check("mcp", "MCP handshake", mcp, ("repository", "scopes", "project")),
    Check("gitfires", "git hooks fire", git_hooks, ("repository",)),
    Check("fires", "hooks fire", hooks, ("tools", "scopes", "project")),
]

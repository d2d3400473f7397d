"""One hook call from standard input to the answer: what can be told at once here, the rest in `moments`.

Whatever goes wrong, an agent gets no traceback and a person one line: the offline policy decides. Exit code 2 is a
refusal to every client, so nothing else may end with it.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from coordination.engine.guard.payloads import CLIENTS, read
from coordination.engine.guard.replies import ALLOW, DENY, Decision, reply
from coordination.engine.guard.types import Event, PayloadError, ToolUse
from mcp_gateway.agent.hooks.memory import memory_of
from mcp_gateway.agent.hooks.targets import groups, home
from mcp_gateway.agent.settings import FOLDER

MOST_BYTES = 64 * 2**20
SHELLS = frozenset(
    {
        "Bash",
        "PowerShell",
        "Shell",
        "exec_command",
        "local_shell",
        "run_shell_command",
        "run_terminal_cmd",
        "shell",
        "shell_command",
        "unified_exec",
    }
)
_WRONG_USE = 1


def main(arguments: Sequence[str], env: Mapping[str, str] = os.environ) -> int:
    """Answer the hook call of a client (`CLIENT [EVENT]`); the exit code the client understands."""
    client, event = (*arguments, "", "")[:2]
    if client not in CLIENTS or len(arguments) > 2:
        print(f"interlock hook: say which client calls: {', '.join(CLIENTS)}", file=sys.stderr)
        return _WRONG_USE
    use = None
    try:
        payload = json.loads(sys.stdin.buffer.read(MOST_BYTES).decode("utf-8-sig", "replace"))
        use = read(client, payload, event)
        decision = decide(client, use, env)
    except PayloadError as error:
        print(f"interlock hook: {error}", file=sys.stderr)
        return 0
    except Exception as error:
        decision = _mishap(error, use, client)
    return _answer(client, use.event if use else Event.PRE_TOOL, decision)


def decide(client: str, use: ToolUse, env: Mapping[str, str]) -> Decision:
    """What is said to this call."""
    if use.event is Event.PRE_TOOL:
        return _before(client, use, env)
    if use.source == "subagent" or (use.event is Event.POST_TOOL and not _may_write_unseen(use)):
        return Decision(ALLOW)
    from mcp_gateway.agent.hooks import moments

    return moments.answer(client, use, env)


def _before(client: str, use: ToolUse, env: Mapping[str, str]) -> Decision:
    """Before a tool: known paths at once, others by asking."""
    if _may_write_unseen(use):
        _remember_when(client, use)
    asked = []
    for group in groups(use):
        memory = memory_of(client, use, group)
        if group.dangers or not memory.covers(group.touches):
            asked.append((group, memory))
    if not asked:
        return Decision(ALLOW)
    from mcp_gateway.agent.hooks import moments

    return moments.before(client, use, env, asked)


def _may_write_unseen(use: ToolUse) -> bool:
    """Whether more may be written than the call says."""
    return use.opaque or use.tool in SHELLS


def _remember_when(client: str, use: ToolUse) -> None:
    """When a command began: what changes from then on may be its doing."""
    group = home(use.cwd)
    if group is not None and (group.checkout.main / FOLDER).is_dir():
        import time

        memory = memory_of(client, use, group)
        memory.said["since"] = time.time_ns()
        memory.save()


def _mishap(error: Exception, use: ToolUse | None, client: str) -> Decision:
    """Something is broken here. With the policy `closed` an edit is refused, else it is let through."""
    from mcp_gateway.agent.hooks import words

    print(words.bug(error), file=sys.stderr)
    if use is None or use.event is not Event.PRE_TOOL or not (use.touches or use.dangers):
        return Decision(ALLOW)
    group = home(use.cwd)
    if group is None or memory_of(client, use, group).offline != "closed":
        return Decision(ALLOW)
    return Decision(DENY, words.held_back("a fault of its own", [touch.path for touch in use.touches]))


def _answer(client: str, event: Event, decision: Decision) -> int:
    """Print it as the client reads it."""
    said: Any = reply(client, event, decision)
    if said.stdout is not None:
        print(json.dumps(said.stdout))
    if said.stderr:
        print(said.stderr, file=sys.stderr)
    return int(said.exit_code)

"""256 agents edit, and every edit is judged first: what an agent feels of the guard, by both of its doors."""

import asyncio
from typing import Any

from tests.bench.client import headers, request
from tests.bench.context import Bench, Step, fresh, paced
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import Agent, errors, hang_up, times

_AGENTS = 256
_EVERY_S = 2.0  # an agent edits about that often while it writes
_FILES = 6
_LIMIT_MS = 100


def _path(agent: Agent, number: int) -> str:
    """Every sixth edit is the first of its file."""
    return f"src/{agent.name}/part{number // _FILES}.py"


def _by_command(numbers: dict[str, int]) -> Step:
    async def step(agent: Agent) -> None:
        number = numbers[agent.name] = numbers.get(agent.name, 0) + 1
        said: dict[str, Any] = {"event": "pre_tool", "touches": [{"path": _path(agent, number), "action": "write"}]}
        answer = await agent.post("/guard", said)
        agent.errors += answer.status != 200 or answer.json()["decision"] != "allow"

    return step


def _by_http(numbers: dict[str, int]) -> Step:
    async def step(agent: Agent) -> None:
        number = numbers[agent.name] = numbers.get(agent.name, 0) + 1
        worktree = f"/work/{agent.name}"
        payload = {
            "session_id": agent.name,
            "transcript_path": "/dev/null",
            "cwd": worktree,
            "hook_event_name": "PreToolUse",
            "tool_name": "Edit",
            "tool_input": {
                "file_path": f"{worktree}/{_path(agent, number)}",
                "old_string": "x" * 400,
                "new_string": "y" * 400,
            },
        }
        place = agent.team.place
        said = headers(host="127.0.0.1", authorization=f"Bearer {agent.team.token}")
        path = f"/hooks/{place.slug}/{place.project}/claude-code?agent={agent.name}"
        answer = await agent.send(request("POST", path, said, payload))
        agent.errors += answer.status != 200 or b'"deny"' in answer.body

    return step


async def run(bench: Bench) -> Result:
    """Edits evenly spread over 256 runs, one in six of them the first of its file, and then claimed."""
    result = Result()
    worst = 0.0
    for door, make in (("interlock hook", _by_command), ("HTTP hook", _by_http)):
        agents = await bench.team().agents(_AGENTS)
        numbers: dict[str, int] = {}
        try:
            await paced(agents, make(numbers), _EVERY_S * 2, _EVERY_S)
            fresh(agents)
            await paced(agents, make(numbers), max(bench.seconds * 2, 2 * _EVERY_S), _EVERY_S)
            figures = spread(times(agents)) | {"judged": len(times(agents)), "errors": errors(agents)}
        finally:
            hang_up(agents)
            await asyncio.sleep(0)
        worst = max(worst, figures["p99_ms"])
        result.rows.append(Row("guard", f"an edit judged, {door}, {_AGENTS} agents", figures))
    result.bars.append(
        Bar(f"an edit judged, {_AGENTS} agents, p99", f"< {_LIMIT_MS} ms", f"{worst} ms", worst < _LIMIT_MS)
    )
    return result

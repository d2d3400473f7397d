"""The same claim and release over REST and over MCP, turn about on one connection each: what the protocol costs."""

from typing import Any

from tests.bench.client import headers, request
from tests.bench.context import Bench, loop
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import Agent, hang_up
from tests.bench.scenarios.cycles import own_path

_LIMIT = 1.5
_VERSION = "2026-07-28"
_META = {
    "io.modelcontextprotocol/protocolVersion": _VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Talker:
    """Calls tools for an agent; ``modern`` says everything in each request, the older era has no such envelope."""

    def __init__(self, agent: Agent, *, modern: bool) -> None:
        self._agent = agent
        self._modern = modern
        self._path = f"/mcp/{agent.team.place.slug}/{agent.team.place.project}"
        self._number = 0

    async def call(self, tool: str, **arguments: Any) -> Any:
        """The structured content of a tool's answer; None where it failed."""
        self._number += 1
        params: dict[str, Any] = {"name": tool, "arguments": arguments | {"instance": self._agent.instance}}
        lines = {"mcp_protocol_version": "2025-11-25"}
        if self._modern:
            params["_meta"] = _META
            lines = {"mcp_protocol_version": _VERSION, "mcp_method": "tools/call", "mcp_name": tool}
        said = headers(
            host="127.0.0.1",
            authorization=f"Bearer {self._agent.team.token}",
            accept="application/json, text/event-stream",
            **lines,
        )
        body = {"jsonrpc": "2.0", "id": self._number, "method": "tools/call", "params": params}
        answer = await self._agent.send(request("POST", self._path, said, body))
        result = answer.json().get("result", {}) if answer.status == 200 else {"isError": True}
        if result.get("isError", "structuredContent" not in result):
            self._agent.errors += 1
            return None
        return result["structuredContent"]


async def run(bench: Bench) -> Result:
    """One agent, one request at a time: REST, then each era."""
    result = Result()
    [agent] = await bench.team().agents(1)
    number = 0

    async def by_rest(agent: Agent) -> None:
        nonlocal number
        number += 1
        answer = await agent.claim([own_path(agent, number)])
        await agent.release(answer.json()["id"])

    def by_mcp(talker: Talker) -> Any:
        async def step(agent: Agent) -> None:
            nonlocal number
            number += 1
            claim = await talker.call("claim", paths=[own_path(agent, number)])
            if claim is not None:
                await talker.call("release", claim_ids=[claim["id"]])

        return step

    steps = {
        "REST": by_rest,
        f"MCP {_VERSION}": by_mcp(Talker(agent, modern=True)),
        "MCP 2025-11-25": by_mcp(Talker(agent, modern=False)),
    }
    took: dict[str, list[float]] = {name: [] for name in steps}
    try:
        for turn in range(5):  # turn about, so that a busy moment of the machine falls on all of them
            for name, step in steps.items():
                agent.times.clear()
                await loop([agent], step, bench.seconds / 8)
                if turn:
                    took[name] += agent.times
    finally:
        hang_up([agent])
    for name, times in took.items():
        figures = spread(times) | {"errors": agent.errors}
        result.rows.append(Row("mcp", f"claim, release by {name}", figures))
    rest, *others = [spread(times)["p50_ms"] for times in took.values()]
    worst = max(others) / rest
    result.bars.append(
        Bar("an MCP call against the same by REST, p50", f"<= {_LIMIT}x", f"{worst:.2f}x", worst <= _LIMIT)
    )
    return result

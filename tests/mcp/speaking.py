"""Speaking MCP as raw HTTP, in both eras. Every tool answer is held against its own output schema."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from mcp_gateway.tools import TOOLS
from tests.making import Place
from tests.web import Web

LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN = "2026-07-28"
# One of each era: they go different ways through the door.
ERAS = ("2025-06-18", MODERN)
BOTH = "application/json, text/event-stream"
_OUTPUT = {tool.name: Draft202012Validator(tool.listed(per_project=True).output_schema or {}) for tool in TOOLS}
_META = "io.modelcontextprotocol/"


@dataclass(frozen=True)
class Told:
    """What a tool answered."""

    text: str
    body: dict[str, Any]
    mistake: bool
    meta: dict[str, Any]

    @property
    def code(self) -> str | None:
        """The code of the problem, where it is one."""
        return self.body.get("code")


class Mcp:
    """A client of one era, with one token, at one address."""

    def __init__(
        self,
        web: Web,
        place: Place,
        token: str | None = None,
        *,
        era: str = MODERN,
        project: str | None = "main",
        tools: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.place, self.era = place, era
        self.path = f"/mcp/{place.slug}" + (f"/{project}" if project else "") + (f"?tools={tools}" if tools else "")
        self.http = httpx.Client(base_url=web.url, timeout=60, headers={"Accept": BOTH, **(headers or {})})
        if token is not None:
            self.http.headers["Authorization"] = f"Bearer {token}"
        self.instance: str | None = None

    def __del__(self) -> None:
        self.http.close()

    def message(self, method: str, params: dict[str, Any] | None = None, *, id: Any = 1) -> dict[str, Any]:
        """A request of this era."""
        params = dict(params or {})
        if self.era == MODERN:
            envelope = {
                "protocolVersion": MODERN,
                "clientCapabilities": {},
                "clientInfo": {"name": "t", "version": "1"},
            }
            params["_meta"] = {_META + name: value for name, value in envelope.items()}
        return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}

    def headers(self, message: Any) -> dict[str, str]:
        """The headers that go with it."""
        found = {"Content-Type": "application/json", "MCP-Protocol-Version": self.era}
        if self.era == MODERN and isinstance(message, dict):
            found["Mcp-Method"] = str(message.get("method"))
            if isinstance(name := (message.get("params") or {}).get("name"), str) and name.isascii():
                found["Mcp-Name"] = name
        return found

    def send(self, message: Any, **headers: str) -> httpx.Response:
        """POST anything that is JSON."""
        return self.http.post(self.path, content=json.dumps(message), headers=self.headers(message) | headers)

    def ask(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """The result of a request that must not fail."""
        response = self.send(self.message(method, params))
        assert response.status_code == 200, response.text
        return response.json()["result"]

    def call(self, tool: str, /, **arguments: Any) -> Told:
        """Call a tool as the run this client is (unless ``instance`` says another); the answer has been checked."""
        if self.instance is not None:
            arguments.setdefault("instance", self.instance)
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        body = result["structuredContent"]
        if not result["isError"]:
            _OUTPUT[tool].validate(body)
        [content] = result["content"]
        return Told(content["text"], body, result["isError"], result.get("_meta", {}))

    def join(self, agent: str = "tester", **said: Any) -> "Mcp":
        """Register a run and be it from now on."""
        told = self.call("sync", agent=agent, **said)
        assert not told.mistake, told.text
        self.instance = told.body["instance"]["handle"]
        return self

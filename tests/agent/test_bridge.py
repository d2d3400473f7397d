"""`interlock mcp`: an MCP client on its pipes, the gateway behind it, and one run for whatever a session does."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import Implementation

from tests.agent.desk import COMMAND, Session, environment, repository, wire
from tests.agent.stub import Reply, stub
from tests.concurrency.watching import until
from tests.web import running_web

MODERN = "2026-07-28"
LIMIT = 60


class Pipes:
    """An MCP client that writes what it likes, and keeps every line that comes back."""

    def __init__(self, cwd: Path, **env: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "mcp"],
            cwd=cwd,
            env=environment(**env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._came: dict[Any, Any] = {}
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)  # anything else would end the thread, and the test with it
            with self._more:
                self._came[message["id"]] = message
                self._more.notify_all()

    def send(self, message: Any) -> None:
        """Write one line."""
        assert self.process.stdin is not None
        self.process.stdin.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        self.process.stdin.flush()

    def answer(self, number: Any) -> Any:
        """The answer to a request, when it is there."""
        with self._more:
            assert self._more.wait_for(lambda: number in self._came, LIMIT), f"no answer to {number}: {self._came}"
            return self._came[number]

    def answered(self, number: Any) -> bool:
        """Whether it was answered."""
        with self._more:
            return number in self._came

    def ask(self, number: Any, method: str, **params: Any) -> Any:
        """A request and its answer."""
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return self.answer(number)

    def call(self, number: Any, tool: str, **arguments: Any) -> Any:
        """What a tool answers."""
        return self.ask(number, "tools/call", name=tool, arguments=arguments)["result"]["structuredContent"]

    def hello(self, version: str = "2025-06-18", name: str = "Claude Code") -> "Pipes":
        """Shake hands."""
        told = self.ask(
            0, "initialize", protocolVersion=version, capabilities={}, clientInfo={"name": name, "version": "1"}
        )
        assert told["result"]["protocolVersion"] == version
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def end(self) -> tuple[int, str]:
        """Close the client's end: (exit code, what stood on the error stream)."""
        assert self.process.stdin is not None and self.process.stderr is not None
        self.process.stdin.close()
        code = self.process.wait(20)
        self._reader.join(20)
        said = self.process.stderr.read()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code, said


@contextmanager
def bridge(cwd: Path, **env: str) -> Iterator[Pipes]:
    """A bridge, which ends without a word on the error stream."""
    pipes = Pipes(cwd, **env)
    try:
        yield pipes
    finally:
        assert pipes.end() == (0, "")


def command(*arguments: str, at: Path) -> Any:
    """What a shell command of this very session answers."""
    done = subprocess.run(
        [*COMMAND, *arguments, "--json"], cwd=at, env=environment(), capture_output=True, text=True, timeout=LIMIT
    )
    assert done.stderr == "", done.stderr
    return json.loads(done.stdout)


def test_tools_and_shell_commands_of_a_session_are_one_run(checkout: Path) -> None:
    with bridge(checkout) as client:
        client.hello()
        me = client.call(1, "sync", intent="rework the login")["instance"]
        assert (me["agent"], me["tool"], me["intent"]) == ("ada-lovelace", "claude-code", "rework the login")
        assert (me["worktree"], me["branch"]) == (str(checkout), "main") and me["host"]
        # The model forgets its handle, and the shell never knew it.
        assert client.call(2, "claim", paths=["README.md"])["holder"]["instance"] == me["id"]
        assert command("claim", "src", at=checkout)["holder"]["instance"] == me["id"]
        assert len(command("claims", "--mine", at=checkout)["items"]) == 2


def test_a_shell_that_came_first_is_the_run_that_tools_act_for(checkout: Path) -> None:
    mine = command("sync", at=checkout)["instance"]["id"]
    with bridge(checkout) as client:
        client.hello()
        assert client.call(1, "claim", paths=["README.md"])["holder"]["instance"] == mine
        assert client.call(2, "sync")["instance"]["id"] == mine


def test_a_handle_that_is_named_goes_before_the_sessions(checkout: Path, session: Any) -> None:
    other = session()("sync", "--json").json["instance"]
    with bridge(checkout) as client:
        client.hello()
        mine = client.call(1, "sync")["instance"]
        assert mine["id"] != other["id"]
        assert client.call(2, "claim", paths=["a"], instance=other["handle"])["holder"]["instance"] == other["id"]
        # An old handle of this very run is brought up to date: what resumed it was the same session.
        old = f"{mine['id']}.0"
        assert client.call(3, "claim", paths=["b"], instance=old)["holder"]["instance"] == mine["id"]


def test_a_run_that_has_ended_is_registered_anew(checkout: Path, alice: Any) -> None:
    with bridge(checkout) as client:
        client.hello()
        first = client.call(1, "sync")["instance"]["id"]
        assert alice.delete(f"P/instances/{first}").status_code == 200
        again = client.call(2, "sync")["instance"]["id"]
        assert again != first
        assert command("sync", at=checkout)["instance"]["id"] == again


def test_requests_are_answered_as_they_are_done(checkout: Path, session: Any) -> None:
    assert session()("claim", "README.md").code == 0
    with bridge(checkout) as client:
        client.hello()
        client.call(1, "sync")
        waiting = {"name": "claim", "arguments": {"paths": ["README.md"], "wait_seconds": 45}}
        client.send({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": waiting})
        assert client.call(2, "sync")["frozen"] is False
        assert not client.answered("slow")


def test_a_cancelled_request_ends_its_wait_at_the_server(checkout: Path, session: Any) -> None:
    other = session()
    assert other("claim", "README.md").code == 0
    with bridge(checkout) as client:
        client.hello()
        client.call(1, "sync")
        waiting = {"name": "claim", "arguments": {"paths": ["README.md"], "wait_seconds": 45}}
        client.send({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": waiting})
        until(lambda: other("queue", "--json").json["items"])
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}})
        until(lambda: not other("queue", "--json").json["items"])
        assert client.call(3, "sync")["queue"] == []
        assert not client.answered(2)


def test_a_client_that_goes_away_gives_up_its_waits(checkout: Path, session: Any) -> None:
    other = session()
    assert other("claim", "README.md").code == 0
    with bridge(checkout) as client:
        client.hello()
        client.call(1, "sync")
        waiting = {"name": "claim", "arguments": {"paths": ["README.md"], "wait_seconds": 45}}
        client.send({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": waiting})
        until(lambda: other("queue", "--json").json["items"])
    until(lambda: not other("queue", "--json").json["items"])


def test_the_server_may_be_restarted(tmp_path: Path, place: Any, free_port: int) -> None:
    app = repository(tmp_path / "app")
    wire(app, f"http://127.0.0.1:{free_port}", place.token(), f"{place.slug}/main")
    with bridge(app) as client:
        with running_web(port=free_port):
            client.hello()
            held = client.call(1, "claim", paths=["README.md"])["id"]
        away = client.ask(2, "tools/call", name="sync", arguments={})
        assert away["error"]["code"] == -32000
        assert "cannot be reached" in away["error"]["message"] and "Nothing was done" in away["error"]["message"]
        with running_web(port=free_port):
            assert [claim["id"] for claim in client.call(3, "sync")["claims"]] == [held]


def test_a_wait_is_not_hung_on_to_when_the_server_dies(
    tmp_path: Path, place: Any, session: Any, free_port: int
) -> None:
    app = repository(tmp_path / "other")
    wire(app, f"http://127.0.0.1:{free_port}", place.token(), f"{place.slug}/main")
    with bridge(app) as client:
        with running_web(port=free_port) as web:
            other = Session(app)
            assert other("claim", "README.md").code == 0
            client.hello()
            client.call(1, "sync")
            waiting = {"name": "claim", "arguments": {"paths": ["README.md"], "wait_seconds": 45}}
            client.send({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": waiting})
            until(lambda: other("queue", "--json").json["items"])
            web.process.kill()
            broken = client.answer(2)
            other.end()
        assert "broke" in broken["error"]["message"] and "call sync" in broken["error"]["message"]


def test_what_is_not_configured_is_told_in_words_and_may_be_mended_meanwhile(checkout: Path) -> None:
    file = checkout / ".interlock/local.env"
    text = file.read_text()
    file.write_text("")
    with bridge(checkout) as client:
        told = client.ask("early", "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={})
        assert "INTERLOCK_URL is not set" in told["error"]["message"]
        file.write_text(text)
        client.hello()


def test_a_token_that_is_not_good_is_told_with_the_problem(checkout: Path, web: Any, place: Any) -> None:
    wire(checkout, web.url, "ilk_agent_abcdefgh", f"{place.slug}/main")
    with bridge(checkout) as client:
        told = client.ask(0, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={})
    assert told["error"]["data"]["code"] == "unauthenticated"
    assert "abcdefgh" not in json.dumps(told)


def test_lines_that_are_no_messages_are_answered_and_end_nothing(checkout: Path) -> None:
    with bridge(checkout) as client:
        client.send("")
        client.send("no json")
        assert client.answer(None)["error"]["code"] == -32700
        client.send('[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]')
        client.send('{"jsonrpc": "2.0", "id": 9, "result": {}}')
        client.hello()
        assert client.ask(1, "no/such/method")["error"]["code"] == -32601


def test_messages_carry_what_each_era_wants_in_headers(tmp_path: Path) -> None:
    app = repository(tmp_path / "app")
    settled = {"jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": "2025-06-18"}}
    with stub(lambda number, asked: Reply(200, settled | {"id": json.loads(asked.body).get("id")})) as server:
        wire(app, server.url, "ilk_agent_abcdefgh", "acme/web")
        with bridge(app, INTERLOCK_INSTANCE="ins_00000000000000000000000000.7") as client:
            client.hello()
            client.ask(1, "tools/list")
            meta = {f"io.modelcontextprotocol/{name}": value for name, value in {"protocolVersion": MODERN}.items()}
            client.ask(2, "tools/call", name="tränk", arguments={}, _meta=meta)
            client.ask(3, "resources/read", uri="a://b", _meta=meta)
    asked = {json.loads(one.body).get("id"): one.headers for one in server.asked}
    assert "MCP-Protocol-Version" not in asked[0] and asked[1]["MCP-Protocol-Version"] == "2025-06-18"
    assert "Mcp-Method" not in asked[1]
    assert asked[2]["MCP-Protocol-Version"] == MODERN
    assert (asked[2]["Mcp-Method"], asked[2]["Mcp-Name"]) == ("tools/call", "=?base64?dHLDpG5r?=")
    assert asked[3]["Mcp-Name"] == "a://b"
    assert asked[2]["Interlock-Instance"] == "ins_00000000000000000000000000.7"
    assert all(one.path == "/mcp/acme/web" for one in server.asked)
    assert all(headers["Authorization"] == "Bearer ilk_agent_abcdefgh" for headers in asked.values())


def test_an_event_stream_is_carried_message_by_message(tmp_path: Path) -> None:
    app = repository(tmp_path / "app")
    told = {"jsonrpc": "2.0", "id": 1, "result": {"text": "two\nlines"}}
    events = f": keep-alive\n\nevent: message\ndata: {json.dumps(told)}\n\n".encode()
    with stub(lambda number, asked: Reply(200, events, {"Content-Type": "text/event-stream"})) as server:
        wire(app, server.url, "ilk_agent_abcdefgh", "acme/web")
        with bridge(app) as client:
            assert client.ask(1, "tools/list") == told


@pytest.mark.parametrize("mode", ["legacy", "auto", MODERN])
def test_the_official_client_works_over_it(checkout: Path, mode: str) -> None:
    async def play() -> None:
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "mcp_gateway.agent", "mcp"], cwd=str(checkout), env=environment()
        )
        async with Client(server, mode=mode, client_info=Implementation(name="codex", version="1")) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"sync", "claim", "release"} <= names
            me = (await client.call_tool("sync", {})).structured_content
            assert me is not None and me["instance"]["tool"] == "codex"
            claimed = await client.call_tool("claim", {"paths": ["README.md"]})
            assert not claimed.is_error

    with anyio.from_thread.start_blocking_portal() as portal:
        portal.call(play)

"""Whatever is sent: no 5xx, nothing stored, an answer that can be read."""

import json
import random

import httpx
import pytest

from tests.client import Api
from tests.mcp.speaking import ERAS, LEGACY, MODERN, Mcp

DEEP = "[" * 50_000 + "]" * 50_000
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}


@pytest.fixture
def stored(web, place):
    """Fail if the test has left anything but the run in the team."""
    api = Api(web.url, place, token=place.token())
    yield
    assert api.get("P/claims").json()["items"] == []
    assert api.get("P/queue").json()["items"] == []
    assert api.get("P/messages").json()["items"] == []


def raw(client: Mcp, body: bytes, **headers: str) -> httpx.Response:
    """Send bytes; the answer has been looked at."""
    answer = client.http.post(client.path, content=body, headers=client.headers(CALL) | headers)
    assert answer.status_code < 500, answer.text
    if answer.content:
        json.loads(answer.content)
    return answer


BODIES = {
    "nothing": b"",
    "no json": b"{",
    "no object": b"17",
    "no text": b"\xff\xfe\x00",
    "null": b"null",
    "a batch": json.dumps([CALL, CALL]).encode(),
    "an empty batch": b"[]",
    "deep": DEEP.encode(),
    "deep arguments": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"claim","arguments":{"paths":'
    + DEEP.encode()
    + b"}}}",
    "a name twice": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"tools/list"}',
    "NaN": b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
    "a number of many digits": b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"ping"}',
    "a lone surrogate": b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
    "an answer": b'{"jsonrpc":"2.0","id":1,"result":{}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("version", [*LEGACY, MODERN])
def test_bodies_that_are_no_request(web, place, stored, version, body):
    answer = raw(Mcp(web, place, place.token(), era=version), body)
    # A legacy client may post an answer to a request of ours; there is none, and nobody minds.
    assert 400 <= answer.status_code < 500 or (answer.status_code == 202 and b"result" in body)


def test_json_that_cannot_be_read_is_told_as_the_protocol_has_it(web, place, era):
    answer = raw(Mcp(web, place, place.token(), era=era), b'{"jsonrpc": "2.0", ')
    error = answer.json()["error"]
    assert (answer.status_code, answer.json()["id"], error["code"]) == (400, None, -32700)
    assert error["data"]["code"] == "malformed_json"


MESSAGES = [
    {**CALL, "params": None},
    {**CALL, "params": []},
    {**CALL, "params": "claim"},
    {**CALL, "params": {}},
    {**CALL, "params": {"name": None}},
    {**CALL, "params": {"name": 7, "arguments": {}}},
    {**CALL, "params": {"name": "claim", "arguments": []}},
    {**CALL, "params": {"name": "claim", "arguments": "paths"}},
    {**CALL, "params": {"name": "cl\x00aim", "arguments": {}}},
    {**CALL, "params": {"name": "x" * 100_000, "arguments": {}}},
    {**CALL, "id": None, "params": {"name": "claim", "arguments": {"paths": ["a"]}}},
    {**CALL, "id": {"a": 1}, "params": {"name": "claim", "arguments": {"paths": ["a"]}}},
    {**CALL, "id": True, "params": {"name": "claim", "arguments": {}}},
    {**CALL, "jsonrpc": "1.0", "params": {"name": "claim", "arguments": {"paths": ["a"]}}},
    {**CALL, "method": 7},
    {**CALL, "method": "x" * 100_000},
    {"jsonrpc": "2.0", "id": 1},
    {"id": 1, "method": "tools/call"},
    {**CALL, "params": {"name": "claim", "arguments": {"paths": ["a"]}, "_meta": 7}},
    {**CALL, "params": {"name": "claim", "arguments": {}, "_meta": {"progressToken": {"a": []}}}},
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 7}},
    {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": 7}},
    {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": {}},
    {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: json.dumps(message)[:60])
@pytest.mark.parametrize("envelope", [True, False])
def test_messages_of_the_wrong_shape(web, place, stored, era, message, envelope):
    client = Mcp(web, place, place.token(), era=era)
    if envelope and era == MODERN and isinstance(message.get("params"), dict) and "_meta" not in message["params"]:
        meta = client.message("x")["params"]["_meta"]
        message = message | {"params": message["params"] | {"_meta": meta}}
    raw(client, json.dumps(message).encode(), **{"Mcp-Method": str(message.get("method"))[:100].replace("\x00", "")})


VALUES = [
    None, True, 0, -1, 2**70, 1.5, 1e308, "", "\x00", "a\x00b", "\u2028", "ä" * 5000, "../../etc", "ins_" + "z" * 60,
    [], [[]], [None], ["\x00"], [{}], {}, {"a": {"b": []}}, "x" * 70_000, ["x"] * 30_000, [{"path": "\x00"}],
    [{"pattern": "{a,b}" * 50}], ["**/" * 200], "ins_01m7wvph6qep8bb0m6n99f40e8.999999999999",
]  # fmt: skip


@pytest.mark.parametrize("tool", ["sync", "claim", "release", "message", "verify"])
def test_arguments_of_the_wrong_kind(web, place, tool):
    # Each argument with each value; a few that happen to be right may be done, the rest says what is wrong.
    client = Mcp(web, place, place.token(), era=random.Random(tool).choice(ERAS)).join()
    [schema] = [t["inputSchema"] for t in client.ask("tools/list")["tools"] if t["name"] == tool]
    for name in (*schema["properties"], "unheard_of", "", "\x00", "__class__"):
        for value in VALUES:
            if name == "wait_seconds" and value is True:
                continue
            told = client.call(tool, **({"action": "read"} if tool == "message" else {}) | {name: value})
            assert told.body.get("status", 200) < 500, (name, value, told.text)
            if told.mistake:
                assert told.text.startswith("ERROR (") and "\x00" not in told.text


def test_bodies_that_are_too_large(web, place, stored, era):
    client = Mcp(web, place, place.token(), era=era)
    answer = raw(client, b" " * (2 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    def without_end():
        for _ in range(3 * 1024):
            yield b" " * 1024

    answer = client.http.post(client.path, content=without_end(), headers=client.headers(CALL))
    assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_taken(web, place, stored, era, kind):
    client = Mcp(web, place, place.token(), era=era)
    answer = raw(client, json.dumps(client.message("tools/list")).encode(), **{"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("header", ["Mcp-Session-Id", "Last-Event-ID", "MCP-Protocol-Version", "Interlock-Instance"])
@pytest.mark.parametrize("value", ["", "x" * 5000, "\xe4\xff", "=?base64?w6Q=?=", "2026-07-28, 2025-06-18"])
def test_headers_of_any_kind(web, place, stored, era, header, value):
    client = Mcp(web, place, place.token(), era=era)
    body = json.dumps(client.message("tools/list")).encode()
    raw(client, body, **{header: value.encode("latin-1")})  # type: ignore[dict-item]


def test_query_strings_of_any_kind(web, place, stored):
    client = Mcp(web, place, place.token())
    base = client.path
    for query in ("?%ff", "?tools=%00", "?" + "&".join("a=b" for _ in range(500)), "?=", "?tools", "?\xe4"):
        client.path = base + query
        raw(client, json.dumps(client.message("tools/list")).encode())

"""Both eras of the protocol over raw HTTP, without sessions."""

import httpx
import pytest

from mcp_gateway.protocol import INSTRUCTIONS
from mcp_gateway.tools import TOOLS
from tests.mcp.speaking import LEGACY, MODERN, Mcp

NAMES = [tool.name for tool in TOOLS]


def _initialize(client: Mcp, version: str) -> httpx.Response:
    info = {"name": "test", "version": "1"}
    message = client.message("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": info})
    headers = {"Content-Type": "application/json"}
    return client.http.post(client.path, json=message, headers=headers)  # the first request names no version


@pytest.mark.parametrize("version", LEGACY)
def test_initialize_answers_the_version_that_was_asked_for(web, place, version):
    client = Mcp(web, place, place.token(), era=version)
    answer = _initialize(client, version)
    result = answer.json()["result"]
    assert (answer.status_code, result["protocolVersion"]) == (200, version)
    assert result["serverInfo"]["name"] == "interlock" and result["instructions"] == INSTRUCTIONS
    assert "mcp-session-id" not in answer.headers
    assert client.send({"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    assert [tool["name"] for tool in client.ask("tools/list")["tools"]] == NAMES
    assert client.ask("ping") == {}


def test_initialize_for_a_version_of_tomorrow_answers_one_that_is_served(web, place):
    assert _initialize(Mcp(web, place, place.token(), era=LEGACY[0]), "2031-01-01").json()["result"][
        "protocolVersion"
    ] in (*LEGACY, MODERN)


def test_discover_needs_no_handshake(web, place):
    found = Mcp(web, place, place.token()).ask("server/discover")
    assert found["supportedVersions"] == [MODERN] and found["instructions"] == INSTRUCTIONS
    assert found["capabilities"] == {"tools": {"listChanged": False}}
    assert found["cacheScope"] == "private" and found["ttlMs"] > 0


def test_a_list_of_tools_is_for_its_reader_only_and_always_in_the_same_order(web, place, era):
    client = Mcp(web, place, place.token(), era=era)
    first, second = client.ask("tools/list"), client.ask("tools/list")
    assert first == second
    assert [tool["name"] for tool in first["tools"]] == NAMES
    if era == MODERN:
        assert first["cacheScope"] == "private" and first["ttlMs"] > 0
    for tool in first["tools"]:
        assert set(tool["annotations"]) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["outputSchema"]["type"] == "object"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS", "HEAD"])
def test_only_post_is_taken(web, place, method):
    client = Mcp(web, place, place.token())
    answer = client.http.request(method, client.path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert (not answer.content) == (method == "HEAD")


def test_requests_of_two_clients_with_one_id_do_not_meet(ada, bob):
    for client in (ada, bob):
        answer = client.send(client.message("tools/call", {"name": "sync", "arguments": {"agent": "x"}}, id="same"))
        assert answer.json()["id"] == "same"


def test_a_tool_that_is_not_there_is_told_with_those_that_are(web, place, era):
    client = Mcp(web, place, place.token(), era=era)
    answer = client.send(client.message("tools/call", {"name": "claim_files", "arguments": {}}))
    assert answer.status_code == (400 if era == MODERN else 200)
    error = answer.json()["error"]
    assert error["code"] == -32602 and all(name in error["message"] for name in NAMES)


def test_a_method_that_is_not_there(web, place, era):
    client = Mcp(web, place, place.token(), era=era)
    answer = client.send(client.message("resources/list"))
    assert answer.json()["error"]["code"] == -32601
    assert answer.status_code == (404 if era == MODERN else 200)


def test_headers_that_contradict_the_body_are_refused(web, place):
    client = Mcp(web, place, place.token())
    call = client.message("tools/call", {"name": "sync", "arguments": {"agent": "a"}})
    for wrong in ({"Mcp-Method": "tools/list"}, {"Mcp-Name": "claim"}):
        answer = client.send(call, **wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    unknown = client.send(call, **{"MCP-Protocol-Version": "2031-01-01"})
    assert unknown.status_code == 400 and unknown.json()["error"]["code"] in (-32020, -32022)
    del call["params"]["_meta"]
    assert client.send(call).json()["error"]["code"] == -32602


def test_a_version_of_this_era_that_is_not_served_is_told_which_are(web, place):
    client = Mcp(web, place, place.token())
    call = client.message("tools/list")
    call["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2031-01-01"
    answer = client.send(call, **{"MCP-Protocol-Version": "2031-01-01"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32022)
    assert answer.json()["error"]["data"]["supported"] == [MODERN]


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/*", "application/json;q=0.9, text/html"])
def test_the_short_way_and_the_sdks_answer_the_same(ada, accept):
    # The door answers a plain tools/call itself and leaves whatever looks unusual to the SDK's manager.
    call = ada.message("tools/call", {"name": "claim", "arguments": {"paths": ["a.py"], "instance": ada.instance}})
    answer = ada.send(call, Accept=accept)
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["structuredContent"]["holder"]["agent"] == "ada"
    assert answer.headers["X-Request-Id"] and answer.headers["Cache-Control"] == "no-store"


def test_both_ways_refuse_in_the_same_words(web, place, era):
    client = Mcp(web, place, place.token(), era=era)
    call = client.message("tools/call", {"name": "nothing", "arguments": {}})
    short, long = (client.send(call, Accept=accept) for accept in ("application/json", "application/*"))
    assert (short.status_code, short.json()) == (long.status_code, long.json())


def test_a_client_that_takes_no_json_is_told(ada):
    assert ada.send(ada.message("tools/list"), Accept="text/html").status_code == 406


def test_a_clients_request_id_comes_back(ada):
    assert ada.send(ada.message("ping"), **{"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"

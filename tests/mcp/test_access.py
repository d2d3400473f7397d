"""Who is let in, from where, and what the door says of itself (RFC 6750, RFC 9728)."""

import re

import httpx
import pytest

from tenants.permissions import Permission as P
from tests.client import Api
from tests.making import make_place
from tests.mcp.speaking import ERAS, Mcp
from tests.web import running_web


def _metadata(web, header: str) -> dict:
    url = re.search(r'resource_metadata="([^"]+)"', header)
    assert url, header
    document = httpx.get(url[1])
    assert document.status_code == 200
    return document.json()


@pytest.mark.parametrize("project", ["main", None])
def test_nobody_is_told_where_to_read_on(web, place, era, project):
    client = Mcp(web, place, era=era, project=project)
    answer = client.send(client.message("tools/list"))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer resource_metadata=")
    document = _metadata(web, challenge)
    assert document["resource"] == web.url + client.path
    assert document["scopes_supported"] == ["coordinate", "read", "verify"]
    assert "authorization_servers" not in document
    page = httpx.get(document["resource_documentation"])
    assert page.status_code == 200 and "token" in page.text


def test_a_wrong_token_is_told_apart_from_none(web, place):
    answer = Mcp(web, place, "ilk_agent_nonsense").send({})
    assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_metadata_says_nothing_about_who_is_here(web, place):
    there = httpx.get(f"{web.url}/.well-known/oauth-protected-resource/mcp/{place.slug}/main")
    not_there = httpx.get(f"{web.url}/.well-known/oauth-protected-resource/mcp/nobody/nothing")
    assert there.status_code == not_there.status_code == 200
    assert set(there.json()) == set(not_there.json())
    for path in ("", "/mcp", "/mcp/a/b/c", "/api/v1", "/mcp/%00"):
        assert httpx.get(f"{web.url}/.well-known/oauth-protected-resource{path}").status_code == 404
    assert httpx.post(there.url).headers["Allow"] == "GET, HEAD"
    head = httpx.head(there.url)
    assert head.status_code == 200 and not head.content


@pytest.mark.invariant("INV-15")
def test_a_foreign_team_and_an_absent_one_look_the_same(web, place, era):
    elsewhere = make_place()
    theirs = Mcp(web, place, elsewhere.token(*P), era=era)
    nowhere = Mcp(web, place, elsewhere.token(*P), era=era)
    nowhere.path = "/mcp/there-is-none/main"
    for message in (theirs.message("tools/list"), theirs.message("tools/call", {"name": "sync", "arguments": {}})):
        a, b = theirs.send(message), nowhere.send(message)
        assert (a.status_code, b.status_code) == (404, 404)
        assert a.json()["detail"] == b.json()["detail"]


@pytest.mark.parametrize("method", ["tools/list", "tools/call"])
def test_a_project_that_is_not_the_tokens_is_not_there(web, place, method):
    owner = Api(web.url, place, token=place.token(*P))
    owner.post("T/projects", {"slug": "other"})
    bound = owner.post("T/tokens", {"name": "bound", "preset": "agent", "project": "other"}).json()["secret"]
    for project, status in (("main", 404), ("nothing", 404), ("other", 200)):
        client = Mcp(web, place, bound, project=project)
        assert client.send(client.message(method, {"name": "sync", "arguments": {"agent": "a"}})).status_code == status


@pytest.mark.invariant("INV-17")
def test_only_tools_within_the_scopes_are_listed(web, place, era):
    def listed(*permissions: P) -> list[str]:
        client = Mcp(web, place, place.token(*permissions), era=era)
        return [tool["name"] for tool in client.ask("tools/list")["tools"]]

    assert listed(P.READ, P.COORDINATE, P.VERIFY) == ["sync", "claim", "release", "message", "verify"]
    assert listed(P.READ, P.VERIFY) == ["verify"]
    assert listed(P.COORDINATE) == ["sync", "release"]


def test_a_token_for_none_of_the_tools_is_told_all_the_scopes_at_once(web, place, era):
    client = Mcp(web, place, place.token(P.READ), era=era)
    for method in ("tools/list", "tools/call"):
        answer = client.send(client.message(method, {"name": "sync", "arguments": {}}))
        assert (answer.status_code, answer.json()["needs"]) == (403, ["coordinate", "read", "verify"])
        challenge = answer.headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge and 'scope="coordinate read verify"' in challenge


def test_a_revoked_token_is_refused_at_its_next_call(web, place, era):
    owner = Api(web.url, place, token=place.token(*P))
    made = owner.post("T/tokens", {"name": "short", "preset": "agent"}).json()
    client = Mcp(web, place, made["secret"], era=era).join()
    owner.delete(f"T/tokens/{made['id']}")
    call = client.message("tools/call", {"name": "sync", "arguments": {"instance": client.instance}})
    answer = client.send(call)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")
    assert client.send(client.message("tools/list")).status_code == 401


def test_our_own_pages_and_those_in_the_settings_may_call(place):
    with running_web(MCP_ORIGINS="https://tool.example,https://other.example") as web:
        for origin in (web.url, "http://localhost:1234", "http://[::1]:1", "https://tool.example"):
            client = Mcp(web, place, place.token(), headers={"Origin": origin})
            assert client.send(client.message("tools/list")).status_code == 200, origin


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://", "http://[", "https://tool.example"],
)
def test_foreign_pages_may_not(web, place, origin):
    client = Mcp(web, place, place.token(), headers={"Origin": origin})
    answer = client.send(client.message("tools/list"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "MCP_ORIGINS" in answer.json()["detail"]


def test_a_page_that_calls_itself_by_our_address_is_refused_too(web, place):
    # DNS rebinding: the name is the attacker's in both headers.
    client = Mcp(web, place, place.token(), headers={"Origin": "http://evil.example", "Host": "evil.example"})
    assert client.send(client.message("tools/list")).status_code == 403


def test_failed_attempts_are_slowed_down_with_those_of_the_other_doors(place):
    with running_web(AUTH_FAILURES_PER_MINUTE="3") as web:
        client = Mcp(web, place, "ilk_agent_nonsense")
        assert [client.send({}).status_code for _ in range(4)] == [401, 401, 401, 429]
        assert Api(web.url, place, token="ilk_agent_nonsense").http.get("/api/v1/me").status_code == 429


def test_the_rate_is_counted_with_the_other_doors(place):
    with running_web(RATE_LIMIT_TOKEN="1") as web:
        token = place.token()
        client, api = Mcp(web, place, token), Api(web.url, place, token=token)
        first = client.send(client.message("tools/list"))
        size = int(first.headers["X-RateLimit-Limit"])
        assert int(first.headers["X-RateLimit-Remaining"]) == size - 1
        assert api.get("/api/v1/me").headers["X-RateLimit-Remaining"] == str(size - 2)
        for _ in range(size - 2):
            assert client.send(client.message("ping")).status_code != 429
        refused = client.send(client.message("tools/list"))
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.headers["Retry-After"]


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ("core", ["sync", "claim", "release", "message", "verify"]),
        ("full", ["sync", "claim", "release", "message", "verify"]),
        ("claims", ["sync", "claim", "release", "verify"]),
        ("board", ["sync", "message"]),
        ("control", ["sync"]),
    ],
)
def test_sets_of_tools(web, place, tools, names):
    client = Mcp(web, place, place.token(), tools=tools)
    assert [tool["name"] for tool in client.ask("tools/list")["tools"]] == names
    if "claim" not in names:
        call = client.message("tools/call", {"name": "claim", "arguments": {"paths": ["a"]}})
        assert client.send(call).json()["error"]["code"] == -32602


@pytest.mark.parametrize("tools", ["everything", "", "core&tools=full"])
def test_a_set_that_is_not_there_is_told_with_those_that_are(web, place, tools):
    client = Mcp(web, place, place.token())
    client.path += f"?tools={tools}"
    answer = client.send(client.message("tools/list"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "core, full, claims, board, control" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/mcp/a/b/c", "/mcp/", "/mcp/A", "/mcp/a/", "/mcp//b"])
def test_addresses_that_are_none(web, place, path):
    client = Mcp(web, place, place.token())
    client.path = path
    assert client.send(client.message("tools/list")).status_code == 404


def test_the_page_says_how_one_connects(web):
    page = httpx.get(f"{web.url}/mcp")
    assert page.headers["Content-Type"].startswith("text/plain")
    assert f"{web.url}/mcp/TEAM/PROJECT" in page.text and "OAuth" in page.text
    assert not httpx.head(f"{web.url}/mcp").content


def test_one_address_for_a_whole_team_takes_the_project_with_each_call(web, place):
    for era in ERAS:
        client = Mcp(web, place, place.token(), era=era, project=None)
        for tool in client.ask("tools/list")["tools"]:
            assert "project" in tool["inputSchema"]["properties"] and "project" in tool["inputSchema"]["required"]
        client.join(project="main")
        assert not client.call("claim", paths=[f"{era}.py"], project="main").mistake
        for missing in ({}, {"project": None}, {"project": 7}):
            told = client.call("claim", paths=["b.py"], **missing)
            assert told.mistake and told.body["errors"][0]["field"] == "project"
        assert client.call("claim", paths=["b.py"], project="nothing").code == "not_found"
        unknown = client.call("claim", pathz=["b.py"], project="main")
        assert "claim takes project, instance, paths" in unknown.text


def test_an_address_of_one_project_takes_no_other(ada):
    told = ada.call("claim", paths=["a.py"], project="main")
    assert told.code == "invalid" and told.body["errors"][0]["field"] == "project"

"""Hostile and clumsy requests: each is refused with a problem that says what to mend, never with a 5xx."""

import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

from tenants import ids
from tenants.permissions import Permission
from tenants.tokens import mint
from tests.client import Api
from tests.making import make_place

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe\x00",
        b'{"paths": [NaN]}',
        b'{"paths": ["a"], "paths": ["b"]}',
        b'{"paths": ["\\ud800"]}',
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"paths": ["a"]} x',
        b"\xef\xbb\xbf{}",
    ],
)
def test_malformed_json(agent, raw):
    refused = agent.request("POST", "P/claims", content=raw, headers=JSON)
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"x"', b"true"])
def test_a_body_that_is_no_object(agent, raw):
    refused = agent.request("POST", "P/claims", content=raw, headers=JSON)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"paths": ["a"], "scopes": [{"pattern": "b"}]}, "body"),
        ({"paths": []}, "paths"),
        ({"paths": "a"}, "paths"),
        ({"paths": [1]}, "paths.0"),
        ({"paths": [None]}, "paths.0"),
        ({"paths": {"a": 1}}, "paths"),
        ({"paths": ["a"], "path": ["a"]}, "path"),
        ({"paths": ["a"], "ttl_seconds": "60"}, "ttl_seconds"),
        ({"paths": ["a"], "ttl_seconds": 1.5}, "ttl_seconds"),
        ({"paths": ["a"], "ttl_seconds": True}, "ttl_seconds"),
        ({"paths": ["a"], "ttl_seconds": 0}, "ttl_seconds"),
        ({"paths": ["a"], "ttl_seconds": -1}, "ttl_seconds"),
        ({"paths": ["a"], "ttl_seconds": 10**9}, "ttl_seconds"),
        ({"paths": ["a"], "ttl_seconds": 10**30}, "ttl_seconds"),
        ({"paths": ["a"], "ttl_seconds": 3600 * 24 * 365}, "ttl_seconds"),
        ({"paths": ["a"], "wait_seconds": 601}, "wait_seconds"),
        ({"paths": ["a"], "wait_seconds": -1}, "wait_seconds"),
        ({"paths": ["a"], "mode": "greedy"}, "mode"),
        ({"paths": ["a"], "mode": None}, "mode"),
        ({"paths": ["a"], "urgency": 3}, "urgency"),
        ({"paths": ["a"], "dry_run": "yes"}, "dry_run"),
        ({"paths": ["a"], "reason": "x\u0000y"}, "reason"),
        ({"paths": ["a"], "reason": "x" * 501}, "reason"),
        ({"paths": ["a"], "repository": "no such"}, "repository"),
        ({"paths": ["a"], "repository": "nosuch"}, "paths.0"),
        ({"scopes": [{}]}, "scopes.0.pattern"),
        ({"scopes": [{"pattern": "a", "except": ["b"]}]}, "scopes.0.except.0"),
        ({"scopes": [{"pattern": "[z-a]"}]}, "scopes.0.pattern"),
        ({"paths": ["a"] * 20_001}, "paths"),
    ],
)
@pytest.mark.invariant("INV-19")
def test_wrong_claims_name_the_field(agent, body, field):
    refused = agent.post("P/claims", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert field in [error["field"] for error in refused.json()["errors"]]
    assert agent.get("P/claims").json()["items"] == []


HOSTILE_PATHS = [
    "",
    "/etc/passwd",
    "../x",
    "a/../b",
    "a\u0000b",
    "a\nb",
    "x" * 5000,
    "a/" * 70 + "b",
    "nokind:x",
    "a//b",
    "\u202e",
    "\u200b",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
@pytest.mark.invariant("INV-19")
def test_hostile_paths(agent, path):
    answers = [
        agent.claim(path),
        agent.post("P/claims/check", {"paths": [path]}),
        agent.post("P/claims", {"scopes": [{"pattern": path}]}),
        agent.post("P/verify", {"changes": [{"path": path}]}),
        agent.get("P/claims", params={"path": path}),
    ]
    assert all(answer.status_code in (200, 201, 409, 422) for answer in answers)


def test_twenty_thousand_paths_are_taken_and_one_more_is_not(agent):
    answer = agent.post("P/claims/check", {"paths": [f"d{n % 100}/f{n}.py" for n in range(20_000)]})
    assert answer.status_code == 200 and answer.json()["free"] is True


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer x",
        "Bearer ilk_agent_" + "0" * 32 + "_00000000",
        "bearer nonsense",
        "Bearer " + "x" * 5000,
        "Bearer \xe4\xf6",
        "Basic dXNlcjpwYXNz",
        "Digest x",
    ],
)
def test_bad_tokens(nobody, authorization):
    refused = nobody.get("P/claims", headers={"Authorization": authorization.encode("latin-1")})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="interlock"'


def test_a_token_that_nobody_made(nobody):
    refused = nobody.get("P/claims", headers={"Authorization": f"Bearer {mint('agent').text}"})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


def test_no_credential_is_401_for_reads_and_writes(nobody):
    assert nobody.get("P").status_code == 401
    assert nobody.claim("a.py").status_code == 401
    assert nobody.get("/api/v1/nothing").status_code in (401, 404)


@pytest.mark.invariant("INV-17")
def test_expired_and_revoked_tokens_are_refused_at_once(alice, web, place):
    made = alice.post("T/tokens", {"name": "short", "preset": "agent", "expires_in_seconds": 1}).json()
    short = Api(web.url, place, token=made["secret"])
    revoked = alice.post("T/tokens", {"name": "gone", "preset": "agent"}).json()
    gone = Api(web.url, place, token=revoked["secret"])
    assert gone.get("/api/v1/me").status_code == 200
    assert alice.delete(f"T/tokens/{revoked['id']}").json()["state"] == "revoked"
    refused = gone.get("/api/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (401, "token_revoked")
    time.sleep(1.1)
    refused = short.get("/api/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (401, "token_expired")


@pytest.mark.invariant("INV-16")
def test_foreign_things_look_absent(agent, charlie, web):
    claim = agent.claim("mine.py").json()["id"]
    message = agent.post("P/messages", {"to": "all", "text": "hello"}).json()["id"]
    other = make_place()
    stranger = Api(web.url, other, token=other.token(*Permission)).run("stranger")
    for path in (f"P/claims/{claim}", f"P/instances/{agent.instance}", f"P/queue/{ids.show('que', ids.new_id())}"):
        foreign = stranger.get(path)
        absent = stranger.get(path[:-5] + "aaaaa")
        assert (foreign.status_code, absent.status_code) == (404, 404)
        assert foreign.json()["detail"] == absent.json()["detail"]
    assert stranger.delete(f"P/claims/{claim}").status_code == 404
    assert stranger.post(f"P/claims/{claim}/renew", {}).status_code == 404
    assert stranger.post("P/messages", {"to": agent.instance, "text": "x"}).status_code == 404
    assert stranger.post("P/messages", {"to": "all", "text": "x", "reply_to": message}).status_code == 404
    assert charlie.get("P").json()["code"] == "not_found"
    with_foreign_run = Api(web.url, other, token=stranger.token)
    with_foreign_run.http.headers["Interlock-Instance"] = agent.instance
    assert with_foreign_run.claim("x.py").status_code == 404


@pytest.mark.parametrize(
    "made_up",
    [
        "x",
        "clm_",
        "clm_" + "z" * 26,
        "clm_" + "0" * 26,
        "CLM_" + "0" * 26,
        "%00",
        "..%2f..",
        "é",
        "a" * 1500,
        "null",
        "-1",
    ],
)
def test_made_up_ids(agent, made_up):
    for path in ("P/claims/{}", "P/instances/{}", "P/queue/{}", "P/repositories/{}"):
        response = agent.http.get(agent.address(path.format(made_up)))
        assert response.status_code == 404, response.text
    assert agent.http.delete(agent.address(f"P/claims/{made_up}")).status_code == 404
    assert agent.http.delete(agent.address(f"P/allocations/{made_up}")).status_code == 404


@pytest.mark.parametrize(
    "header", ["x", "ins_", "ins_" + "0" * 26, "ins_" + "0" * 26 + ".1", "ins_x.y", "\xe4", "a" * 4000]
)
def test_made_up_instances(agent, header):
    del agent.http.headers["Interlock-Instance"]
    headers = {"Interlock-Instance": header.encode("latin-1")}
    assert agent.post("P/claims", {"paths": ["a"]}, headers=headers).status_code in (404, 422)
    assert agent.get("P/sync", headers=headers).status_code in (404, 422)


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": "a b"},
        {"Idempotency-Key": "x" * 256},
        {"If-Match": '"' + "9" * 400 + '"'},
        {"If-None-Match": ",,,," * 500},
        {"X-Request-Id": "\t"},
        {"traceparent": "00-xyz"},
        {"Content-Length": "999999999999999999999"},
        {"Cookie": "sessionid=\xff; csrftoken=\x7f"},
        {"X-Forwarded-For": "1.2.3.4, \xff"},
        {"Range": "bytes=0-1"},
        {"Expect": "200-maybe"},
        {"Accept": "text/html"},
        {"Host": "evil.example"},
        {"Content-Type": "application/json\x0bx"},
    ],
)
def test_hostile_headers(agent, headers):
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    for method, path, body in (("POST", "P/claims/check", b'{"paths":["a"]}'), ("GET", "P", None)):
        try:
            sent = agent.http.request(method, agent.address(path), content=body, headers=JSON | raw)
        except httpx.TransportError:
            continue  # the server hung up on it
        assert sent.status_code < 500, (headers, sent.status_code, sent.text[:300])


RAW = [
    b"GET /api/v1/me HTTP/1.1\r\n\r\n",
    b"GET /api/v1/%ff%fe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n",
    b"GET /api/v1/me?%zz=%ff HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n",
    b"POST /api/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/v1/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET http://other/api/v1/me HTTP/1.1\r\nHost: other\r\n\r\n",
    b"GET /problems/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /mcp/x/y HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /ws/x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
]


@pytest.mark.parametrize("raw", RAW)
def test_bytes_that_are_hardly_http(web, raw):
    where = urlsplit(web.url)
    with socket.create_connection((where.hostname, where.port), timeout=1) as line:
        line.sendall(raw)
        try:
            answer = line.recv(65536)
        except TimeoutError:  # it waits for the rest
            answer = b""
    assert b" 500 " not in answer.split(b"\r\n", 1)[0], answer
    assert b"Traceback" not in answer
    assert httpx.get(f"{web.url}/healthz").status_code == 200


def test_other_host_names_are_refused_where_cookies_count(web, agent):
    for path in ("/", "/api/v1/me", "/sign-in/"):
        for host in ("evil.example", "[", "a b", "localhost:x", "x" * 300):
            refused = httpx.get(web.url + path, headers={"Host": host})
            assert refused.status_code == 400
    with_token = agent.http.get("/api/v1/me", headers={"Host": "anything"})
    assert with_token.status_code == 200

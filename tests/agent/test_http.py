"""One call to the API: tried again where that is harmless, never sent elsewhere, and worded where it fails."""

import pytest

from mcp_gateway.agent.http import Client, NotAllowed, Refused, Unreachable
from mcp_gateway.agent.settings import Settings
from mcp_gateway.agent.transport import proxy_for
from tests.agent.stub import Asked, Reply, stub

BUSY = {"code": "busy", "detail": "Too many.", "remedy": "Later.", "status": 503}


def client(url: str, **more: object) -> Client:
    """A client of a stub."""
    settings = Settings(url, "ilk_agent_secretive", "acme", "web", "", None, None, None)
    return Client(settings, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "first", [Reply(503, BUSY, {"Retry-After": "1"}), Reply(502, b"<html>"), Reply(0), Reply(504, b"")]
)
def test_a_passing_failure_is_tried_again_under_the_same_key(first: Reply) -> None:
    with stub(lambda number, asked: first if number == 0 else Reply(201, {"id": "clm_1"})) as server:
        answer = client(server.url).request("POST", "claims", {"paths": ["a"]})
    assert (answer.status, answer.body) == (201, {"id": "clm_1"})
    assert [asked.path for asked in server.asked] == ["/api/v1/teams/acme/projects/web/claims"] * 2
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 1
    assert server.asked[0].body == server.asked[1].body


def test_a_try_that_meets_its_own_first_one_waits_for_it() -> None:
    flying = {"code": "idempotency_in_flight", "detail": "The first one still runs."}
    with stub(lambda number, asked: Reply(409, flying) if number < 2 else Reply(201, {})) as server:
        assert client(server.url).request("POST", "claims", {}).status == 201


def test_another_call_has_another_key_and_reading_has_none() -> None:
    with stub(lambda number, asked: Reply(200, {})) as server:
        for _ in range(2):
            client(server.url).request("POST", "claims/check", {})
        client(server.url).request("GET", "roster")
    keys = [asked.headers.get("Idempotency-Key") for asked in server.asked]
    assert keys[0] and keys[1] and keys[0] != keys[1] and keys[2] is None


def test_tries_are_bounded_and_the_last_answer_is_told() -> None:
    with stub(lambda number, asked: Reply(503, BUSY)) as server, pytest.raises(Refused) as refused:
        client(server.url, retries=1).request("GET", "roster")
    assert len(server.asked) == 2
    assert (refused.value.code, str(refused.value)) == (3, "Too many. Later.")


def test_a_long_retry_after_is_not_sat_out() -> None:
    with stub(lambda number, asked: Reply(503, BUSY, {"Retry-After": "3600"})) as server, pytest.raises(Refused):
        client(server.url).request("GET", "roster")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500])
def test_what_would_be_answered_the_same_again_is_not_tried_again(status: int) -> None:
    body = {"code": "some_code", "detail": "No."}
    with stub(lambda number, asked: Reply(status, body)) as server:
        if status == 409:
            assert client(server.url).request("POST", "claims", {}).refused
        else:
            with pytest.raises(Refused) as refused:
                client(server.url).request("POST", "claims", {})
            assert refused.value.code == (2 if status in (400, 404, 422) else 3)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_not_allowed_is_an_error_of_its_own(status: int) -> None:
    answer = Reply(status, {"code": "x", "detail": "Not you."})
    with stub(lambda number, asked: answer) as server, pytest.raises(NotAllowed, match="Not you") as refused:
        client(server.url).request("GET", "roster")
    assert refused.value.code == 3


def test_a_redirect_is_not_followed_and_the_token_stays_here() -> None:
    with stub(lambda number, asked: Reply(200, {})) as other:
        answer = Reply(308, b"", {"Location": f"{other.url}/elsewhere"})
        with stub(lambda number, asked: answer) as server, pytest.raises(Unreachable, match="redirects to") as refused:
            client(server.url).request("GET", "roster")
    assert other.asked == []
    assert "INTERLOCK_URL" in str(refused.value)


@pytest.mark.parametrize("body", [b"<html>Sign in to the hotel</html>", b"[]", b'{"hello": 1}'])
def test_what_is_no_interlock_is_told_as_such(body: bytes) -> None:
    status = 200 if body == b"[]" or b"html" in body else 404
    with (
        stub(lambda number, asked: Reply(status, body)) as server,
        pytest.raises(Unreachable, match="not as Interlock"),
    ):
        client(server.url).request("GET", "roster")


def test_silence_ends_and_is_not_asked_twice() -> None:
    import threading

    over = threading.Event()

    def answer(number: int, asked: Asked) -> Reply:
        over.wait(30)
        return Reply(200, {})

    with stub(answer) as server:
        with pytest.raises(Unreachable, match=r"did not answer within 0\.2 s"):
            client(server.url, timeout=0.2).request("POST", "claims", {})
        over.set()
        assert len(server.asked) == 1


def test_no_error_repeats_the_token(free_port: int) -> None:
    with pytest.raises(Unreachable) as away:
        client(f"http://127.0.0.1:{free_port}", retries=0).request("GET", "roster")
    assert "secretive" not in str(away.value) + repr(away.value)


def test_addresses_are_of_the_project_the_team_or_absolute() -> None:
    one = client("https://lock.acme.dev/base")
    assert one.address("claims") == "https://lock.acme.dev/base/api/v1/teams/acme/projects/web/claims"
    assert one.address("") == "https://lock.acme.dev/base/api/v1/teams/acme/projects/web"
    assert one.address("T/projects") == "https://lock.acme.dev/base/api/v1/teams/acme/projects"
    assert one.address("/api/v1/me") == "https://lock.acme.dev/base/api/v1/me"
    assert one.address("claims", {"path": "a b", "state": None}).endswith("/claims?path=a+b")


def test_the_proxy_of_the_environment_is_used_and_kept_from_what_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"HTTPS_PROXY": "http://proxy.acme.dev:3128", "NO_PROXY": "inner.acme.dev"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert proxy_for("https", "lock.acme.dev", None, env) == "http://proxy.acme.dev:3128"
    assert proxy_for("https", "inner.acme.dev", None, env) is None
    assert proxy_for("http", "127.0.0.1", 8000, env) is None
    assert proxy_for("https", "lock.acme.dev", None, {}) is None


def test_a_plain_request_through_a_proxy_names_the_whole_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub(lambda number, asked: Reply(200, {"items": []})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://me:pass%20word@"))
        assert client("http://lock.acme.invalid").request("GET", "roster").status == 200
    [asked] = proxy.asked
    assert asked.path == "http://lock.acme.invalid/api/v1/teams/acme/projects/web/roster"
    assert asked.headers["Proxy-Authorization"] == "Basic bWU6cGFzcyB3b3Jk"


def test_an_encrypted_request_asks_the_proxy_for_a_tunnel_and_shows_it_no_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with stub(lambda number, asked: Reply(403, {"code": "x"})) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(Unreachable, match="cannot be reached"):
            client("https://lock.acme.invalid", retries=0).request("GET", "roster")
    [asked] = proxy.asked
    assert (asked.method, asked.path) == ("CONNECT", "lock.acme.invalid:443")
    assert "Authorization" not in asked.headers

"""The small parts: reading requests, buckets, entity tags, the router."""

import dataclasses
import re

import pytest

from coordination.api import etag, parse
from coordination.api.limits import Buckets, Failures, Limiter
from coordination.api.router import BASE, Router
from coordination.api.routes import ROUTES
from tenants.problems import Code, Problem


def refused(call, *arguments):
    with pytest.raises(Problem) as caught:
        call(*arguments)
    return caught.value


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 2}',
        b'{"x": [{"b": ":"}, {"a": 1, "\\u0061": 2}]}',
        b'{"a": "\\ud800"}',
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"",
    ],
)
def test_what_is_not_one_json_value_is_400(raw):
    assert refused(parse.decode, raw).code is Code.MALFORMED_JSON


@pytest.mark.parametrize("raw", [b'{"a:b": "c:d", "e": [{"a": 1}, {"a": 2}]}', b"[]", b'"::"', b' {"\\u003a": {}} '])
def test_colons_in_texts_are_no_double_names(raw):
    parse.decode(raw)


def test_idempotency_keys_are_visible_ascii():
    assert parse.idempotency_key(b"a" * 255) == "a" * 255
    for bad in (b"", b"a" * 256, b"a b", "ä".encode(), b"\x7f"):
        assert refused(parse.idempotency_key, bad).status == 422


def test_request_and_trace_ids_are_taken_only_when_sane():
    assert parse.request_id(b"My.id-1_") == "My.id-1_"
    for bad in (None, b"", b"a" * 65, b"a b", b"a\r\nX: y", "ä".encode()):
        assert parse.request_id(bad) is None
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert parse.trace_id(trace) == "0af7651916cd43dd8448eb211c80319c"
    for bad in (None, b"", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", trace[:-1], b"zz" + trace):
        assert parse.trace_id(bad) == ""


def test_etags():
    assert etag.tag(3) == '"v3"'
    for header, match in (
        ('"v3"', True),
        ('W/"v3"', True),
        ('"v2", "v3"', True),
        ("*", True),
        ('"v2"', False),
        ("v3", False),
    ):
        assert etag.matches(header, '"v3"') is match
    now = lambda: 3  # noqa: E731
    assert etag.expected(None, now) is None and etag.expected("*", now) is None
    assert etag.expected('"v7"', now) == 7
    assert etag.expected('"v2", "v3"', now) == 3
    for stale in ('W/"v3"', '"x"', "", "v3", '"v1", "v2"'):
        assert refused(etag.expected, stale, now).status == 412


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_then_its_rate():
    clock = Clock()
    buckets = Buckets(2, 5, clock=clock)
    assert [buckets.take("a")[0] for _ in range(10)] == list(range(9, -1, -1))
    left, wait = buckets.take("a")
    assert left == -1 and wait == pytest.approx(0.5)
    assert buckets.take("b")[0] == 9
    clock.now += 0.5
    assert buckets.take("a")[0] == 0
    clock.now += 1000
    assert buckets.take("a")[0] == 9


def test_limits_name_the_tighter_of_team_and_token_and_say_when_to_come_again():
    limiter = Limiter(10, 5)
    headers = dict(limiter.take("team", "token"))
    assert headers[b"ratelimit-policy"] == b'"token";q=15;w=3, "team";q=30;w=3'
    assert re.fullmatch(rb'"token";r=14;t=\d+', headers[b"ratelimit"])
    assert (headers[b"x-ratelimit-limit"], headers[b"x-ratelimit-remaining"]) == (b"15", b"14")
    for _ in range(14):
        limiter.take("team", "token")
    problem = refused(limiter.take, "team", "token")
    assert problem.status == 429 and int(problem.headers["Retry-After"]) >= 1
    assert problem.headers["x-ratelimit-remaining"] == "0"
    for _ in range(15):
        limiter.take("team", "another token")
    assert refused(limiter.take, "team", "a third token").extra["limited"] == "team"
    assert Limiter(0, 0).take("team", "token") == []


def test_failed_attempts_are_counted_by_address_and_by_beginning_of_the_token():
    failures = Failures(3)
    for n in range(3):
        failures.check("10.0.0.1", f"ilk_agent_{n}abcdefgh")
        failures.note("10.0.0.1", f"ilk_agent_{n}abcdefgh")
    assert refused(failures.check, "10.0.0.1", "ilk_agent_new").status == 429
    failures.check("10.0.0.2", "ilk_agent_new")
    for n in range(3):
        failures.note(f"10.0.1.{n}", f"ilk_agent_secret{n}")
    assert refused(failures.check, "10.0.0.9", "ilk_agent_secret9").status == 429
    Failures(0).check("10.0.0.1", "x")


def test_the_router_finds_every_route_and_literals_go_first():
    router = Router(ROUTES)
    for route in ROUTES:
        path = BASE + re.sub(r"\{(\w+)\}", r"x-\1", route.path)
        found, values = router.find(route.method, path)
        assert found is route
        assert values == {name: f"x-{name}" for name in route.parameters}
    found, _ = router.find("POST", f"{BASE}/teams/t/projects/p/claims/check")
    assert found.name == "claim_check"
    wrong = refused(router.find, "PUT", f"{BASE}/teams/t/projects/p/claims")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/me/",
        "//me",
        "/teams//projects",
        "/nothing",
        "/teams/t/projects/p/claims/x/y/z",
        "/me\0",
        "/" + "a" * 5000,
    ],
)
def test_other_addresses_are_404(path):
    assert refused(Router(ROUTES).find, "GET", BASE + path).status == 404


def test_two_routes_cannot_stand_in_one_place():
    with pytest.raises(AssertionError):
        Router([*ROUTES, dataclasses.replace(ROUTES[0], name="again")])

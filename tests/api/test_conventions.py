"""What holds on every route: ids, entity tags, pages, limits, media types (api.md, "Conventions")."""

import httpx
import pytest

from tests.web import running_web


def test_every_answer_says_its_request_id_and_takes_a_sane_one(alice):
    assert alice.get("/api/v1/me", headers={"X-Request-Id": "mine-1.2_3"}).headers["X-Request-Id"] == "mine-1.2_3"
    made = alice.get("/api/v1/me", headers={"X-Request-Id": "not sane!"}).headers["X-Request-Id"]
    assert made.startswith("req-")
    assert alice.get("P/claims/nothing").json()["request_id"] != made


def test_answers_are_not_kept_and_not_sniffed(alice):
    headers = alice.get("/api/v1/me").headers
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_me_says_who_where_and_what_may_be_done(alice, agent, place):
    assert alice.get("/api/v1/me").json()["team"] == place.slug
    me = agent.get("/api/v1/me").json()
    assert me["scopes"] == ["coordinate", "read", "verify"]
    assert me["instance"].startswith(agent.instance)


def test_documents_have_etags_for_cheap_polling(alice):
    first = alice.get("P")
    tag = first.headers["ETag"]
    assert tag == f'"v{first.json()["version"]}"' and first.headers["Cache-Control"] == "private, no-cache"
    same = alice.get("P", headers={"If-None-Match": f'"v999", {tag}'})
    assert same.status_code == 304 and same.headers["ETag"] == tag
    assert alice.get("P", headers={"If-None-Match": '"v999"'}).status_code == 200


def test_a_stale_write_is_412_and_changes_nothing(alice):
    tag = alice.get("P").headers["ETag"]
    changed = alice.patch("P", {"name": "Renamed"}, headers={"If-Match": tag})
    assert changed.status_code == 200 and changed.headers["ETag"] != tag
    stale = alice.patch("P", {"name": "Lost update"}, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert alice.patch("P", {"name": "x"}, headers={"If-Match": "W/" + changed.headers["ETag"]}).status_code == 412
    assert alice.get("P").json()["name"] == "Renamed"
    several = alice.patch("P", {"name": "Any of them"}, headers={"If-Match": f'"v77", {changed.headers["ETag"]}'})
    assert several.status_code == 200
    assert alice.patch("P", {"policy": {"max_ttl_seconds": 60}}, headers={"If-Match": "*"}).status_code == 200


def test_new_documents_say_where_they_are(alice):
    made = alice.post("P/repositories", {"slug": "second"})
    assert made.status_code == 201 and made.headers["ETag"] == '"v1"'
    assert alice.get(made.headers["Location"]).json() == made.json()
    assert alice.delete("P/repositories/second").status_code == 204
    assert alice.get("P/repositories/second").status_code == 404


@pytest.mark.parametrize("path", ["T/tokens", "P/repositories", "P/instances", "P/claims", "P/messages"])
def test_lists_come_in_pages_each_item_once(alice, agent, path):
    for n in range(5):
        {
            "T/tokens": lambda n: alice.post("T/tokens", {"name": f"t{n}", "preset": "reader"}),
            "P/repositories": lambda n: alice.post("P/repositories", {"slug": f"r{n}"}),
            "P/instances": lambda n: agent.run(f"a{n}"),
            "P/claims": lambda n: agent.claim(f"p{n}.py"),
            "P/messages": lambda n: agent.post("P/messages", {"to": "all", "text": f"m{n}"}),
        }[path](n)
    whole = alice.get(path).json()
    assert whole["next_cursor"] is None and len(whole["items"]) >= 5
    seen, address = [], f"{alice.address(path)}?limit=2"
    while address:
        page = alice.get(address)
        seen += page.json()["items"]
        assert len(page.json()["items"]) <= 2
        address = page.links.get("next", {}).get("url")
        assert bool(address) == (page.json()["next_cursor"] is not None)
    # By id: when a token was last used, or a run last seen, is written down meanwhile.
    assert [item["id"] for item in seen] == [item["id"] for item in whole["items"]]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=1&limit=2",
        "cursor=%00",
        "cursor=!",
        "cursor=nonsense",
        "unknown=1",
        "limit=",
        "limit=1.5",
        "%ff=1",
    ],
)
def test_wrong_queries_are_refused(alice, query):
    assert alice.get(f"{alice.address('P/claims')}?{query}").status_code in (400, 422)


def test_wrong_methods_say_which_are_right(alice):
    wrong = alice.request("PUT", "P/claims")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET, POST")
    for method in ("HEAD", "OPTIONS", "TRACE", "PROPFIND"):
        assert (
            httpx.request(method, alice.url + alice.address("P/claims"), headers=alice.http.headers).status_code == 405
        )


def test_only_json_is_taken(alice):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", None):
        headers = {"Content-Type": kind} if kind else {}
        refused = alice.request("POST", "P/claims/check", content=b'{"paths":["a"]}', headers=headers)
        assert refused.status_code == 415
    charset = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert alice.request("POST", "P/claims/check", content=b'{"paths":["a"]}', headers=charset).status_code == 200
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert alice.request("POST", "P/claims/check", content=b"x", headers=packed).status_code == 415


@pytest.mark.invariant("INV-19")
def test_too_much_is_413_with_nothing_stored(agent):
    huge = b'{"to":"all","text":"' + b"x" * (2 * 1024 * 1024) + b'"}'
    headers = {"Content-Type": "application/json"}
    refused = agent.request("POST", "P/messages", content=huge, headers=headers)
    assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (413, "too_large", 2 * 1024 * 1024)
    streamed = agent.request("POST", "P/messages", content=iter([huge[:9], huge[9:]]), headers=headers)
    assert streamed.status_code == 413
    assert agent.get("P/messages").json()["items"] == []


def test_rate_limits_are_told_and_enforced(place):
    from tests.client import Api

    with running_web(RATE_LIMIT_TEAM="100", RATE_LIMIT_TOKEN="2", AUTH_FAILURES_PER_MINUTE="5") as web:
        api = Api(web.url, place, token=place.token())
        first = api.get("/api/v1/me")
        assert first.headers["RateLimit-Policy"] == '"token";q=6;w=3, "team";q=300;w=3'
        assert first.headers["RateLimit"].startswith('"token";r=5;t=')
        assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("6", "5")
        answers = [api.get("/api/v1/me") for _ in range(12)]
        assert [answer.status_code for answer in answers[:5]] == [200] * 5
        limited = next(answer for answer in answers if answer.status_code == 429)
        assert int(limited.headers["Retry-After"]) >= 1 and limited.json()["retry_after"] >= 1
        assert Api(web.url, place, token=place.token()).get("/api/v1/me").status_code == 200

        def guess(n: int) -> int:
            from tenants.tokens import mint

            return Api(web.url, place, token=mint("agent").text).get("/api/v1/me").status_code

        assert [guess(n) for n in range(7)] == [401] * 5 + [429] * 2
        # Who is known already is not locked out by somebody behind the same address.
        assert api.get("/api/v1/me").status_code in (200, 429)
        assert api.get("/api/v1/me").json().get("limited") != "authentication"

"""The same routes for somebody signed in to the dashboard: session, CSRF, the same answers."""

import threading
import time

import httpx

from tests.client import Api
from tests.making import make_place
from tests.web import browser, join, make_person


def owner(web, place) -> Api:
    person = make_person("olive")
    join(place, person, "owner")
    return browser(web, place, person)


def test_a_signed_in_person_uses_the_same_routes(web, place, agent):
    olive = owner(web, place)
    me = olive.get("/api/v1/me").json()
    assert (me["kind"], me["team"]) == ("person", place.slug)
    held = agent.claim("x.py").json()
    assert olive.get(f"P/claims/{held['id']}").json()["id"] == held["id"]
    assert olive.post("P/repositories", {"slug": "second"}).headers["ETag"] == '"v1"'
    tag = olive.get("P").headers["ETag"]
    assert olive.get("P", headers={"If-None-Match": tag}).status_code == 304
    assert olive.delete("P/repositories/second").status_code == 204
    assert olive.get("P/claims?limit=1").json()["items"]


def test_mistakes_get_the_same_answers_at_both_doors(web, place, alice):
    olive = owner(web, place)
    for method, path, more in (
        ("POST", "P/repositories", {"json": {"slug": "Bad Slug"}}),
        ("POST", "P/repositories", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("POST", "P/repositories", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        ("PATCH", "P", {"json": {"name": "x"}, "headers": {"If-Match": '"v99"'}}),
        ("GET", "P/claims?limit=0", {}),
        ("GET", "P/repositories/none", {}),
        ("PUT", "P/claims", {}),
    ):
        mine, theirs = olive.request(method, path, **more), alice.request(method, path, **more)
        assert (mine.status_code, mine.headers["Content-Type"]) == (theirs.status_code, theirs.headers["Content-Type"])
        assert mine.json() | {"request_id": ""} == theirs.json() | {"request_id": ""}
        assert mine.headers.get("Allow") == theirs.headers.get("Allow")


def test_writes_need_the_csrf_token_and_reads_do_not(web, place):
    olive = owner(web, place)
    del olive.http.headers["X-CSRFToken"]
    assert olive.get("P").status_code == 200
    refused = olive.post("P/repositories", {"slug": "second"})
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    wrong = olive.post("P/repositories", {"slug": "second"}, headers={"X-CSRFToken": "y" * 32})
    assert wrong.json()["code"] == "csrf_failed"
    assert olive.get("P/repositories/second").status_code == 404


def test_nobody_and_strangers(web, place, nobody):
    for response in (nobody.get("P"), nobody.post("P/claims", {"paths": ["a"]}), nobody.get("/api/v1/me")):
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    stranger = owner(web, make_place())
    stranger.place = place
    assert stranger.get("P").status_code == 404
    lonely = browser(web, place, make_person("lonely"))
    assert lonely.get("/api/v1/me").status_code == 404
    assert lonely.get("P").status_code == 404


def test_a_viewer_may_look_but_not_touch(bob):
    assert bob.get("P").status_code == 200
    refused = bob.post("P/freeze", {"reason": "because"})
    assert (refused.status_code, refused.json()["needs"], refused.json()["lacks"]) == (403, ["freeze"], ["freeze"])


def test_a_person_in_several_teams_chooses(web, place):
    person, other = make_person("busy"), make_place()
    join(place, person, "viewer")
    join(other, person, "owner")
    busy = browser(web, place, person)
    assert busy.get("/api/v1/me", params={"team": place.slug}).json()["team"] == place.slug
    assert busy.get("/api/v1/me", params={"team": other.slug}).json()["team"] == other.slug
    teams = {team["slug"]: team["role"] for team in busy.get("/api/v1/teams").json()["items"]}
    assert teams == {place.slug: "viewer", other.slug: "owner"}
    assert busy.post("P/freeze", {"reason": "x"}).status_code == 403


def test_losing_the_role_takes_effect_at_once(web, place, alice):
    person = make_person("leaver")
    join(place, person, "maintainer")
    leaver = browser(web, place, person)
    [member] = [m for m in alice.get("T/members").json()["items"] if m["person"]["name"] == "leaver"]
    assert leaver.post("P/freeze", {"reason": "x"}).status_code == 200
    alice.patch(f"T/members/{member['id']}", {"role": "viewer"})
    assert leaver.delete("P/freeze").status_code == 403
    assert leaver.delete(f"T/members/{member['id']}").status_code == 204
    assert leaver.get("P").status_code == 404


def test_keys_work_for_people_too(web, place):
    olive = owner(web, place)
    body, headers = {"to": "all", "text": "x"}, {"Idempotency-Key": "k"}
    first = olive.post("P/messages", body, headers=headers)
    again = olive.post("P/messages", body, headers=headers)
    assert again.json()["id"] == first.json()["id"] and again.headers["Idempotency-Replayed"] == "true"


def test_a_held_request_of_the_session_is_woken(web, place, agent):
    olive = owner(web, place)
    cursor = olive.get("P/events").json()["cursor"]
    threading.Timer(0.3, lambda: agent.post("P/events", {"topic": "x"})).start()
    started = time.monotonic()
    found = olive.get("P/events", params={"after": cursor, "wait_seconds": 20}).json()["items"]
    assert found and time.monotonic() - started < 10


def test_too_much_is_413_here_as_well(web, place):
    olive = owner(web, place)
    huge = b'{"slug":"' + b"x" * (2 * 1024 * 1024) + b'"}'
    refused = olive.request("POST", "P/repositories", content=huge, headers={"Content-Type": "application/json"})
    assert refused.status_code == 413


def test_a_bearer_token_goes_before_the_session(web, place, charlie):
    olive = owner(web, place)
    answer = httpx.get(
        web.url + olive.address("P"),
        cookies=dict(olive.http.cookies),
        headers={"Authorization": charlie.http.headers["Authorization"]},
    )
    assert answer.status_code == 404


def test_a_browser_can_open_the_event_stream(web, place, agent):
    olive = owner(web, place)
    with olive.http.stream("GET", olive.address("P/events/stream")) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        agent.claim("x.py")
        lines = response.iter_lines()
        assert next(line for line in lines if line.startswith("event: ")) == "event: claim.granted"
    stranger = owner(web, make_place())
    stranger.place = place
    assert stranger.get("P/events/stream").status_code == 404
    olive.http.cookies.set("sessionid", "made-up")
    assert olive.get("P/events/stream").status_code == 401

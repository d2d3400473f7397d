"""Claims through the service layer, on the real database."""

from coordination.services import claims, drains, leases, queue
from coordination.services.requests import ScopeRequest
from tests.making import claim, make_place


def test_free_ground_is_granted_with_a_fence_that_rises():
    place = make_place()
    a = place.agent("a")
    first = claim(a, "src/auth/login.py", reason="login")
    second = claim(a, "src/auth/logout.py")
    assert (first.kind, second.kind) == ("granted", "granted")
    assert second.body["fence"] > first.body["fence"]
    assert first.body["holder"]["agent"] == "a"
    assert first.body["lapses_if_silent_after"] is not None


def test_overlapping_ground_is_refused_with_who_until_when_and_what_is_free():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "src/auth/**", reason="rework")
    refused = claim(b, "src/auth/login.py", "src/api/x.py")
    assert refused.kind == "refused"
    assert refused.body["code"] == "claim_conflict"
    [conflict] = refused.body["conflicts"]
    assert conflict["claim"] == held.body["id"]
    assert conflict["holder"]["agent"] == "a"
    assert [s["pattern"] for s in refused.body["narrow_to"]] == ["src/api/x.py"]
    assert claim(b, "src/api/x.py").kind == "granted"


def test_release_serves_the_next_in_line():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py")
    waiting = claim(b, "x.py", wait_seconds=30)
    assert waiting.kind == "queued" and waiting.hold is not None
    assert waiting.hold.again().kind == "queued"
    assert leases.release(a, "main", held.body["id"]).kind == "ok"
    drains.drain(place.team_id, place.project_id)
    granted = waiting.hold.again()
    assert granted.kind == "granted"
    assert granted.body["fence"] > held.body["fence"]


def test_a_wait_that_closes_a_circle_is_refused_and_told():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    claim(a, "x.py")
    claim(b, "y.py")
    assert claim(a, "y.py", wait_seconds=0).kind == "queued"
    answer = claim(b, "x.py", wait_seconds=0)
    assert answer.kind == "deadlock"
    assert {step["agent"] for step in answer.body["cycle"]} == {"a", "b"}
    assert answer.body["give_up"].startswith("que_")


def test_check_and_queue_and_renew():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py")
    answer = claims.check(b, "main", scopes=(ScopeRequest("x.py", literal_syntax=True),))
    assert answer.body["free"] is False
    entry = claim(b, "x.py", wait_seconds=0)
    assert queue.attach(b, "main", entry.body["id"]).kind == "queued"
    assert leases.renew(a, "main", held.body["id"], 3600).kind == "ok"
    assert queue.cancel(b, "main", entry.body["id"]).body["state"] == "cancelled"


def test_coming_back_to_an_entry_finds_its_claim_and_takes_up_the_offer():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py")
    entry = claim(b, "x.py", wait_seconds=0)
    leases.release(a, "main", held.body["id"])
    drains.drain(place.team_id, place.project_id)
    seen = queue.attach(a, "main", entry.body["id"])
    assert seen.kind == "ok" and seen.body["claim"]["offered"] is True, "a look by another takes nothing up"
    mine = queue.attach(b, "main", entry.body["id"])
    assert mine.body["state"] == "granted" and mine.body["claim"]["offered"] is False
    assert mine.body["claim"]["expires_at"] > seen.body["claim"]["expires_at"]
    assert queue.attach(b, "main", entry.body["id"], as_claim=True).body["id"] == mine.body["claim"]["id"]

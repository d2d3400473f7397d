"""A request that was sent twice happens once (concurrency.md, "Idempotency and waiting")."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenants import idempotency, ids
from tenants.db import transaction
from tenants.models import IdempotencyRecord
from tests.client import Api
from tests.making import make_place


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def send(api: Api, text: str, *, keyed: str = "k", **more):
    return api.post("P/messages", {"to": "all", "text": text, **more}, headers=key(keyed))


@pytest.mark.invariant("INV-18")
def test_the_same_request_again_is_answered_from_memory(agent):
    first, second = send(agent, "once"), send(agent, "once")
    assert first.status_code == second.status_code == 201
    assert second.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers and second.headers["Idempotency-Replayed"] == "true"
    assert len(agent.get("P/messages").json()["items"]) == 1


def test_another_spelling_of_the_same_body_is_the_same_request(agent):
    first = send(agent, "once")
    again = agent.request(
        "POST",
        "P/messages",
        content=b'{ "text":"\\u006fnce",   "to": "all"}',
        headers={"Content-Type": "application/json"} | key("k"),
    )
    assert again.json()["id"] == first.json()["id"]


def test_another_body_under_the_same_key_is_refused(agent):
    send(agent, "once")
    refused = send(agent, "twice")
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")


def test_a_key_means_something_else_to_others(agent, alice, web):
    first = send(agent, "mine")
    assert send(alice, "mine").json()["id"] != first.json()["id"]
    assert send(agent.run("another"), "mine").json()["id"] != first.json()["id"]
    elsewhere = make_place()
    assert send(Api(web.url, elsewhere, token=elsewhere.token()), "mine").status_code == 201
    other_operation = agent.post("P/events", {"topic": "x"}, headers=key("k"))
    assert other_operation.status_code == 201 and "Idempotency-Replayed" not in other_operation.headers


def test_a_resumed_run_still_means_the_same_request(web, place):
    api = Api(web.url, place, token=place.token())
    before = api.run("a", thread_id="t1")
    first = send(before, "once")
    after = api.run("a", thread_id="t1")
    assert after.http.headers["Interlock-Instance"] != before.http.headers["Interlock-Instance"]
    assert send(after, "once").json()["id"] == first.json()["id"]


def test_refusals_are_replayed_and_mistakes_are_not(agent):
    other = agent.run("other")
    held = agent.claim("x.py").json()
    refused = other.post("P/claims", {"paths": ["x.py"]}, headers=key("r"))
    assert refused.status_code == 409
    agent.delete(f"P/claims/{held['id']}")
    again = other.post("P/claims", {"paths": ["x.py"]}, headers=key("r"))
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (409, "true")
    assert again.json()["conflicts"] == refused.json()["conflicts"]
    assert again.json()["request_id"] == again.headers["X-Request-Id"]
    mistake = other.post("P/claims", {"paths": ["y.py"], "repository": "nosuch"}, headers=key("m"))
    assert mistake.status_code == 422
    assert other.post("P/claims", {"paths": ["y.py"]}, headers=key("m")).status_code == 201


def test_a_secret_is_shown_once_even_so(alice):
    body = {"name": "t", "preset": "reader"}
    first = alice.post("T/tokens", body, headers=key("t"))
    again = alice.post("T/tokens", body, headers=key("t"))
    assert first.json()["secret"].startswith("ilk_") and again.json()["secret"] is None
    assert again.json()["id"] == first.json()["id"] and again.headers["Location"] == first.headers["Location"]
    with transaction(alice.place.team_id):
        kept = [str(record.answer) for record in IdempotencyRecord.objects.all()]
    assert first.json()["secret"] not in "".join(kept)


@pytest.mark.race
@pytest.mark.invariant("INV-18")
def test_many_at_once_do_it_once(agent):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: send(Api_copy(agent), "once"), range(24)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert all(
        a.json()["code"] == "idempotency_in_flight" and a.headers["Retry-After"]
        for a in answers
        if a.status_code == 409
    )
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len(agent.get("P/messages").json()["items"]) == 1


def Api_copy(api: Api) -> Api:
    other = Api(api.url, api.place, token=api.token)
    other.http.headers.update(api.http.headers)
    return other


def test_a_key_that_is_taken_by_a_running_request_is_409(agent, place):
    principal = place.agent("x")
    mark = idempotency.fingerprint(principal, "op", "k")
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction(place.team_id) as tx:
            idempotency.begin(tx, mark, b"d" * 32)
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(10)
    try:
        with transaction(place.team_id) as tx:
            idempotency.begin(tx, mark, b"d" * 32)
        raise AssertionError("two had the key at once")
    except idempotency.Problem as problem:
        assert problem.code == "idempotency_in_flight"
    finally:
        leave.set()
        holder.join()


@pytest.mark.invariant("INV-18")
def test_a_retry_of_a_wait_goes_on_with_the_same_entry(agent):
    other = agent.run("other")
    held = agent.claim("x.py").json()
    waited = other.post("P/claims", {"paths": ["x.py"], "wait_seconds": 1}, headers=key("w"))
    assert waited.status_code == 202
    [entry] = agent.get("P/queue").json()["items"]
    assert entry["id"] == waited.json()["id"]
    threading.Timer(0.5, lambda: agent.delete(f"P/claims/{held['id']}")).start()
    again = other.post("P/claims", {"paths": ["x.py"], "wait_seconds": 1}, headers=key("w"))
    assert again.status_code == 201, again.text
    assert again.json()["holder"]["agent"] == "other"
    once_more = other.post("P/claims", {"paths": ["x.py"], "wait_seconds": 1}, headers=key("w"))
    assert (once_more.status_code, once_more.json()["id"]) == (201, again.json()["id"])


def test_a_disconnected_wait_with_a_key_keeps_its_place(agent, web):
    import httpx

    other = agent.run("other")
    held = agent.claim("x.py").json()
    body = {"paths": ["x.py"], "wait_seconds": 30}
    with pytest.raises(httpx.ReadTimeout):
        other.http.post(other.address("P/claims"), json=body, headers=key("w"), timeout=0.5)
    time.sleep(0.3)
    [entry] = agent.get("P/queue").json()["items"]
    assert entry["state"] == "waiting"
    agent.delete(f"P/claims/{held['id']}")
    again = other.post("P/claims", body, headers=key("w"))
    assert (again.status_code, again.json()["state"]) == (201, "held")


def test_old_answers_are_not_replayed_and_are_tidied_away(place):
    principal = place.agent("x")
    mark = idempotency.fingerprint(principal, "op", "k")
    with transaction(place.team_id) as tx:
        assert idempotency.begin(tx, mark, b"d" * 32) is None
        idempotency.store(tx, mark, b"d" * 32, idempotency.Stored(201, {"id": 1}, {}))
    with transaction(place.team_id) as tx:
        found = idempotency.begin(tx, mark, b"d" * 32)
        assert found is not None and (found.status, found.body) == (201, {"id": 1})
        tx.run("UPDATE tenants_idempotencyrecord SET created_at = created_at - interval '25 hours'")
    with transaction(place.team_id) as tx:
        assert idempotency.begin(tx, mark, b"e" * 32) is None
    assert idempotency.tidy() >= 1
    with transaction(place.team_id):
        assert not IdempotencyRecord.objects.exists()


def test_fingerprints_differ_by_everything_that_matters(place):
    principal = place.agent("x")
    one = idempotency.fingerprint(principal, "op", "k")
    instance = ids.show("ins", ids.new_id())
    assert (
        len(
            {
                one,
                idempotency.fingerprint(principal, "op2", "k"),
                idempotency.fingerprint(principal, "op", "k2"),
                idempotency.fingerprint(principal.acting(instance=instance), "op", "k"),
            }
        )
        == 4
    )
    assert idempotency.fingerprint(principal.acting(instance=instance + ".1"), "op", "k") == idempotency.fingerprint(
        principal.acting(instance=instance + ".2"), "op", "k"
    )

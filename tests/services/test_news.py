"""Messages, inboxes, events, sync: told by the ledger, lost to nobody."""

import pytest

from coordination.selectors import messages as selectors
from coordination.services import events, freeze, messages, sync
from tenants.problems import Problem
from tests.making import claim, make_place


def _inbox(principal, **asked):
    return messages.inbox(principal, "main", **asked).body


def test_a_message_reaches_its_instance_its_agents_next_run_and_everybody():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    for to in (b.instance, "b", "all", "nobody-yet"):
        messages.post(a, "main", to=to, text=f"to {to}")
    place.publish()
    texts = [item["message"]["text"] for item in _inbox(b)["items"] if item["message"]]
    assert texts == [f"to {b.instance}", "to b", "to all"]
    sender = _inbox(b)["items"][0]["message"]["sender"]
    assert (sender["agent"], sender["kind"], sender["door"]) == ("a", "token", "rest")


@pytest.mark.invariant("INV-13")
def test_an_inbox_cursor_moves_only_when_it_is_presented():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    messages.post(a, "main", to="b", text="one")
    place.publish()
    first = _inbox(b)
    assert _inbox(b)["items"] == first["items"], "a lost answer loses no mail"
    assert _inbox(b, after=int(first["cursor"]))["items"] == []
    assert _inbox(b)["items"] == []


def test_an_acknowledgement_reaches_the_sender_once():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    sent = messages.post(a, "main", to="b", text="please", ack_required=True)
    for _ in range(2):
        messages.acknowledge(b, "main", message_ids=(sent.body["id"],))
    place.publish()
    acked = [item for item in _inbox(a)["items"] if item["type"] == "message.acked"]
    assert len(acked) == 1
    [listed] = selectors.message_list(a, "main")["items"]
    assert [receipt["agent"] for receipt in listed["receipts"]] == ["b"]


def test_a_reply_stays_in_its_thread():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    first = messages.post(a, "main", to="b", text="?", kind="question").body
    answer = messages.post(b, "main", to="a", text="!", kind="answer", reply_to=first["id"]).body
    assert answer["thread"] == first["thread"]
    assert len(selectors.message_list(a, "main", thread=first["thread"])["items"]) == 2


def test_an_inbox_can_be_held_until_something_comes():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = messages.inbox(b, "main", wait_seconds=30)
    assert held.hold is not None and held.hold.again().hold is not None
    messages.post(a, "main", to="b", text="now")
    place.publish()
    answer = held.hold.again()
    assert answer.hold is None and len(answer.body["items"]) == 1


def test_sync_tells_everything_in_one_answer():
    place = make_place()
    a, b = place.agent("a", intent="rework auth"), place.agent("b")
    claim(a, "x.py")
    claim(b, "y.py")
    claim(b, "x.py", wait_seconds=0)
    messages.post(a, "main", to="b", text="hello")
    freeze.freeze(place.owner, "main", "stop")
    place.publish()
    told = sync.sync(b, "main").body
    assert told["frozen"] is True
    assert [c["scopes"][0]["pattern"] for c in told["claims"]] == ["y.py"]
    assert told["claims"][0]["seconds_left"] > 0
    assert [entry["position"] for entry in told["queue"]] == [1]
    assert [(o["agent"], o["intent"]) for o in told["others"]] == [("a", "rework auth")]
    assert [item["type"] for item in told["inbox"]["items"]] == ["message.posted", "project.frozen"]


@pytest.mark.invariant("INV-13")
@pytest.mark.invariant("INV-14")
def test_events_are_read_once_each_in_one_order_and_filtered():
    place = make_place()
    a = place.agent("a")
    for n in range(5):
        claim(a, f"{n}.py")
    events.publish_topic(a, "main", "build.done", {"ok": True})
    place.publish()
    seen, cursor = [], 0
    while page := events.read(a, "main", after=cursor, limit=2).body["items"]:
        seen += page
        cursor = int(page[-1]["cursor"])
    fences = [event["data"]["fence"] for event in seen if event["type"] == "claim.granted"]
    assert fences == sorted(set(fences)) and len(fences) == 5
    assert [int(event["cursor"]) for event in seen] == list(range(1, 8))
    assert [event["type"] for event in seen] == ["instance.registered"] + ["claim.granted"] * 5 + ["topic.build.done"]
    only = events.read(a, "main", after=0, types=("claim.*",)).body["items"]
    assert {event["type"] for event in only} == {"claim.granted"}


def test_a_cursor_below_what_retention_left_is_told_where_to_start():
    from tenants.db import transaction

    place = make_place()
    a = place.agent("a")
    place.publish()
    with transaction(place.team_id) as tx:
        tx.run("UPDATE tenants_ledgerhead SET oldest_seq = 5 WHERE team_id = %s", [place.team_id])
    with pytest.raises(Problem) as caught:
        events.read(a, "main", after=0)
    assert caught.value.code == "cursor_expired" and caught.value.extra["oldest_cursor"] == "4"

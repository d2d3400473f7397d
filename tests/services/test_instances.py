"""Runs: register, resume, epochs, ending (agent.md, "One holder per run")."""

import pytest

from coordination.selectors import instances as selectors
from coordination.services import instances, leases, presence, sweeping
from tenants.db import transaction
from tenants.problems import Problem
from tests.making import claim, make_place


def _register(place, principal, **said):
    return instances.register(principal.acting(instance=None), "main", **said)


@pytest.mark.invariant("INV-23")
def test_the_same_run_is_resumed_and_its_older_copy_loses():
    place = make_place()
    old = place.agent("a", worktree="/w", thread_id="t1")
    held = claim(old, "x.py")
    again = _register(place, old, agent="a", worktree="/w", thread_id="t1")
    assert again.kind == "ok" and again.body["resumed"] and again.body["epoch"] == 2
    new = old.acting(instance=again.body["handle"])
    assert leases.renew(new, "main", held.body["id"]).kind == "ok"
    with pytest.raises(Problem) as caught:
        leases.renew(old, "main", held.body["id"])
    assert caught.value.code == "instance_superseded"


@pytest.mark.invariant("INV-23")
@pytest.mark.parametrize("other", [{"worktree": "/other"}, {"thread_id": "t2"}, {"agent": "b"}, {"thread_id": None}])
def test_another_run_is_never_resumed(other):
    place = make_place()
    first = place.agent("a", worktree="/w", thread_id="t1")
    said = {"agent": "a", "worktree": "/w", "thread_id": "t1"} | other
    assert _register(place, first, **said).body["id"] != first.instance.partition(".")[0]


@pytest.mark.invariant("INV-23")
def test_another_credential_never_resumes_a_run_nor_acts_for_it():
    place = make_place()
    first = place.agent("a", worktree="/w", thread_id="t1")
    second = place.agent("a", worktree="/w", thread_id="t1")
    assert second.instance != first.instance
    with pytest.raises(Problem) as caught:
        claim(second.acting(instance=first.instance), "x.py")
    assert caught.value.code == "forbidden"


def test_a_childs_claims_belong_to_its_root_and_never_meet_it():
    place = make_place()
    root = place.agent("a")
    child = _register(place, root, agent="a-helper", parent=root.instance)
    acting = root.acting(instance=child.body["handle"])
    claim(root, "src/**")
    assert claim(acting, "src/x.py").kind == "granted"
    assert claim(acting, "y.py").body["holder"]["instance"] == root.instance.partition(".")[0]


def test_ending_a_run_releases_what_it_holds_and_cancels_what_it_waits_for():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    claim(a, "x.py")
    claim(b, "y.py")
    waiting = claim(a, "y.py", wait_seconds=0)
    ended = instances.end(a, "main", a.instance)
    assert len(ended.body["released"]) == 1
    assert claim(b, "x.py").kind == "granted"
    with pytest.raises(Problem) as caught:
        claim(a, "z.py")
    assert caught.value.code == "instance_ended"
    assert waiting.kind == "queued"


def test_several_live_runs_of_one_credential_must_be_named():
    place = make_place()
    first = place.agent("a")
    assert claim(first.acting(instance=None), "x.py").kind == "granted"
    _register(place, first, agent="a")
    with pytest.raises(Problem) as caught:
        claim(first.acting(instance=None), "y.py")
    assert caught.value.code == "instance_required"


def test_a_silent_run_becomes_stale_then_gone_and_comes_back_with_its_next_call():
    place = make_place()
    a = place.agent("a")
    found = selectors.instance_get(a, "main", a.instance)

    def silent_for(seconds):
        with transaction(place.team_id) as tx:
            tx.run(
                "UPDATE coordination_instance SET last_seen = clock_timestamp() - make_interval(secs => %s)"
                " WHERE team_id = %s",
                [seconds, place.team_id],
            )
        sweeping.liveness()
        return selectors.instance_get(a, "main", found["id"])["status"]

    assert silent_for(1900) == "stale"
    assert silent_for(2200) == "gone"
    assert instances.heartbeat(a, "main", a.instance).body["instance"]["status"] == "active"


def test_a_token_bound_to_an_agent_cannot_register_another():
    from dataclasses import replace

    place = make_place()
    bound = replace(place.agent("a"), agent="a")
    with pytest.raises(Problem) as caught:
        _register(place, bound, agent="b")
    assert caught.value.code == "forbidden"


def test_any_call_of_a_run_keeps_it_and_its_root_alive():
    place = make_place()
    root = place.agent("a")
    child = _register(place, root, agent="helper", parent=root.instance)
    presence.flush()
    with transaction(place.team_id) as tx:
        tx.run("UPDATE coordination_instance SET last_seen = '2020-01-01' WHERE team_id = %s", [place.team_id])
    claim(root.acting(instance=child.body["handle"]), "x.py")
    presence.flush()
    with transaction(place.team_id) as tx:
        rows = tx.run("SELECT last_seen FROM coordination_instance WHERE team_id = %s", [place.team_id]).fetchall()
    assert [row["last_seen"].year > 2020 for row in rows] == [True, True]

"""Attestations: only what is covered gets one, and it is found when claims are gone and commits rewritten."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from coordination.services import attesting, instances, leases, verify
from coordination.services.requests import Change, ScopeRequest
from tenants.db import transaction
from tenants.permissions import PRESETS, Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem
from tenants.services import projects, repositories
from tests.concurrency.stage import lapse
from tests.making import Place, claim, make_place
from tests.services.verifying import GONE, ONE, OTHER, asked, gate, rows, statuses


@pytest.mark.invariant("INV-27")
def test_only_what_a_live_claim_of_ones_own_covers_for_editing_is_attested(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ada, "mine.py", "many/**")
    claim(ada, "shared.md", mode="shared")
    claim(ada, "read.py", mode="read")
    claim(ada, "told.py", mode="advisory")
    claim(ben, "theirs.py")
    lapse(place, claim(ada, "late.py").body["id"])
    leases.release(ada, "main", claim(ada, "back.py").body["id"])
    paths = ("mine.py", "many/x.py", "shared.md", "read.py", "told.py", "theirs.py", "late.py", "back.py", "new.py")
    answer = asked(ada, *paths, ".interlock/x", attest=True)
    covered = [path for path, found in statuses(answer).items() if found == "covered"]
    assert covered == ["mine.py", "many/x.py", "shared.md"]
    assert answer["attested"] == 3
    assert [row["path"] for row in rows(place)] == sorted(covered)
    assert [gate(place, path) for path in covered] == ["attested"] * 3


@pytest.mark.invariant("INV-27")
def test_nothing_is_attested_by_asking_without_attest(place: Place) -> None:
    ada = place.agent("ada")
    claim(ada, "a.py")
    assert asked(ada, "a.py", against_attestations=True)["attested"] == 0
    assert rows(place) == []


def test_an_attestation_says_what_who_and_for_what(place: Place) -> None:
    ada = place.agent("ada", branch="agent/ada")
    held = claim(ada, "a.py", "b.py", task="KEY-1").body
    asked(ada, Change("a.py", ONE, "ab12"), attest=True)
    asked(ada, "b.py", attest=True, branch="topic", task="KEY-2")
    first, second = rows(place)
    assert first == {
        "path": "a.py",
        "blob": ONE,
        "patch": "ab12",
        "fence": held["fence"],
        "agent_name": "ada",
        "branch": "agent/ada",
        "task": "KEY-1",
        "credential": ada.actor.id,
    }
    assert (second["branch"], second["task"]) == ("topic", "KEY-2")
    [found] = asked(place.agent("ben"), "a.py", against_attestations=True)["findings"]
    assert (found["status"], found["claim"], found["fence"]) == ("attested", held["id"], held["fence"])
    assert (found["by"]["agent"], found["by"]["instance"]) == ("ada", held["holder"]["instance"])
    assert (found["holder"], found["expires_at"]) == (None, None)


def test_attesting_again_adds_nothing_and_is_told_once(place: Place) -> None:
    ada = place.agent("ada")
    held = claim(ada, "a.py").body["id"]
    for expected in (1, 0, 0):
        assert asked(ada, "a.py", attest=True)["attested"] == expected
    assert asked(ada, Change("a.py", OTHER), "b.py", attest=True)["attested"] == 1
    with transaction(place.team_id) as tx:
        told = tx.run(
            "SELECT data FROM tenants_event WHERE team_id = %s AND type = 'change.attested' ORDER BY id",
            [place.team_id],
        ).fetchall()
    assert [event["data"]["count"] for event in told] == [1, 1]
    assert told[0]["data"] == {
        "agent": "ada",
        "repository": "main",
        "branch": "",
        "task": "",
        "count": 1,
        "paths": ["a.py"],
        "claims": [held],
    }


def test_attesting_needs_the_content(place: Place) -> None:
    ada = place.agent("ada")
    claim(ada, "a.py")
    with pytest.raises(Problem) as refusal:
        asked(ada, Change("a.py"), attest=True)
    assert [(error.field, error.code) for error in refusal.value.errors] == [("changes.0.blob", "required")]


def test_attesting_needs_a_run_of_ones_own_and_the_right_to_coordinate(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ada, "a.py")

    def refused(principal: Principal, **more: Any) -> Problem:
        with pytest.raises(Problem) as caught:
            asked(principal, "a.py", attest=True, **more)
        return caught.value

    assert refused(place.owner).code is Code.INSTANCE_REQUIRED
    assert refused(ben, instance=ada.instance).code is Code.FORBIDDEN
    ci = ada.acting(permissions=PRESETS["ci"])
    assert refused(ci).extra["lacks"] == ["coordinate"]
    unable = ada.acting(permissions=frozenset({Permission.READ, Permission.COORDINATE}))
    assert refused(unable).extra["lacks"] == ["verify"]
    assert refused(ada, instance="ins_nothing").code is Code.INSTANCE_REQUIRED
    instances.end(ada, "main", str(ada.instance))
    assert refused(ada).code is Code.INSTANCE_ENDED
    assert rows(place) == []


def test_a_credential_with_one_run_attests_for_it(place: Place) -> None:
    ada = place.agent("ada")
    claim(ada, "a.py")
    assert asked(ada.acting(instance=None), "a.py", attest=True)["attested"] == 1


# What happens between the look and the write


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something done, on a connection of its own, after the claims were looked at and before it is attested."""

    def interpose(act: Callable[[], object]) -> None:
        acts, store = [act], attesting.store

        def later(*given: Any) -> Any:
            if acts:
                thread = threading.Thread(target=acts.pop())
                thread.start()
                thread.join(20)
            return store(*given)

        monkeypatch.setattr(attesting, "store", later)

    return interpose


def _release(place: Place, ada: Principal, held: str) -> None:
    leases.release(ada, "main", held)


def _narrow(place: Place, ada: Principal, held: str) -> None:
    leases.change(ada, "main", held, scopes=(ScopeRequest("src/b.py", field="scopes.0"),))


def _except(place: Place, ada: Principal, held: str) -> None:
    leases.change(ada, "main", held, scopes=(ScopeRequest("src/**", excepts=("file:src/a.py",), field="scopes.0"),))


@pytest.mark.invariant("INV-27")
@pytest.mark.parametrize(
    ("act", "becomes"), [(_release, "unclaimed"), (_narrow, "unclaimed"), (_except, "unclaimed"), (None, "lapsed")]
)
def test_what_stops_being_covered_meanwhile_is_not_attested(
    place: Place, meanwhile: Any, act: Callable[[Place, Principal, str], None] | None, becomes: str
) -> None:
    ada = place.agent("ada")
    held = claim(ada, "src/**").body["id"]
    claim(ada, "kept.py")
    meanwhile(lambda: act(place, ada, held) if act else lapse(place, held))
    answer = asked(ada, "src/a.py", "kept.py", attest=True)
    assert statuses(answer) == {"src/a.py": becomes, "kept.py": "covered"}
    assert answer["attested"] == 1
    assert [row["path"] for row in rows(place)] == ["kept.py"]


@pytest.mark.invariant("INV-27")
def test_what_is_claimed_anew_meanwhile_is_attested_under_the_new_claim(place: Place, meanwhile: Any) -> None:
    ada = place.agent("ada")
    held = claim(ada, "src/**").body
    again: list[dict[str, Any]] = []

    def swap() -> None:
        leases.release(ada, "main", held["id"])
        again.append(claim(ada, "src/**").body)

    meanwhile(swap)
    [found] = asked(ada, "src/a.py", attest=True)["findings"]
    assert (found["claim"], found["status"]) == (again[0]["id"], "covered")
    assert [row["fence"] for row in rows(place)] == [again[0]["fence"]] != [held["fence"]]


def test_a_renewal_meanwhile_changes_nothing(place: Place, meanwhile: Any) -> None:
    ada = place.agent("ada")
    held = claim(ada, "src/**").body["id"]
    meanwhile(lambda: leases.renew(ada, "main", held))
    assert asked(ada, "src/a.py", attest=True)["attested"] == 1


# What survives


def test_content_that_was_attested_is_found_after_the_claim_is_gone(place: Place) -> None:
    ada = place.agent("ada")
    held = claim(ada, "src/**").body["id"]
    asked(ada, "src/a.py", Change("src/gone.py", GONE), attest=True)
    leases.release(ada, "main", held)
    assert gate(place, "src/a.py") == "attested"
    assert gate(place, Change("src/gone.py", GONE)) == "attested"
    assert gate(place, Change("src/a.py", GONE)) == "unclaimed"
    assert gate(place, Change("src/a.py", OTHER)) == "unclaimed"
    assert gate(place, "src/b.py") == "unclaimed"  # the same content elsewhere is another change
    assert gate(place, Change("src/a.py")) == "unclaimed"


def test_a_squash_keeps_its_last_content_and_a_rebase_its_changed_lines(place: Place) -> None:
    ada = place.agent("ada")
    held = claim(ada, "a.py").body["id"]
    asked(ada, Change("a.py", ONE, "aa"), attest=True)
    asked(ada, Change("a.py", OTHER, "bb"), attest=True)
    leases.release(ada, "main", held)
    rebased = "3" * 40
    assert gate(place, Change("a.py", OTHER, "", ("cc",))) == "attested"
    assert gate(place, Change("a.py", rebased, "", ("aa", "bb"))) == "attested"
    assert gate(place, Change("a.py", rebased, "", ("bb",))) == "attested"
    # One commit that nobody attested is enough, also where its lines are not known; none at all says nothing.
    assert gate(place, Change("a.py", rebased, "", ("aa", "cc"))) == "unclaimed"
    assert gate(place, Change("a.py", rebased, "", ("cc", "aa"))) == "unclaimed"
    assert gate(place, Change("a.py", rebased, "", ("aa", ""))) == "unclaimed"
    assert gate(place, Change("a.py", rebased, "", ("", "aa"))) == "unclaimed"
    assert gate(place, Change("a.py", rebased, "", ("",))) == "unclaimed"
    assert gate(place, Change("a.py", rebased, "aa")) == "unclaimed"
    assert gate(place, Change("b.py", rebased, "", ("aa",))) == "unclaimed"


def test_lines_that_were_not_known_are_never_found_by_their_absence(place: Place) -> None:
    ada = place.agent("ada")
    held = claim(ada, "a.py").body["id"]
    asked(ada, Change("a.py", ONE), attest=True)
    leases.release(ada, "main", held)
    assert gate(place, Change("a.py", OTHER, "", ("",))) == "unclaimed"


def test_the_newest_attestation_is_told(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    for who in (ada, ben):
        held = claim(who, "a.py").body["id"]
        asked(who, Change("a.py", ONE, "aa"), attest=True)
        leases.release(who, "main", held)
    for change in (Change("a.py", ONE), Change("a.py", OTHER, "", ("aa",))):
        [found] = asked(place.owner, change, against_attestations=True)["findings"]
        assert found["by"]["agent"] == "ben"


def test_what_is_not_attested_gets_the_word_of_the_claims(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ada, "a.py", "b.py")
    claim(ben, "theirs.py")
    asked(ada, "a.py", attest=True)
    answer = asked(ada, "a.py", "b.py", "theirs.py", "new.py", ".interlock/x", against_attestations=True)
    assert statuses(answer) == {
        "a.py": "attested",
        "b.py": "covered",
        "theirs.py": "held_by_other",
        "new.py": "unclaimed",
        ".interlock/x": "exempt",
    }
    assert (answer["verdict"], answer["failed"]) == ("fail", 2)


@pytest.mark.invariant("INV-15")
def test_an_attestation_counts_in_its_team_project_and_repository_only(place: Place) -> None:
    ada = place.agent("ada")
    claim(ada, "a.py")
    asked(ada, Change("a.py", ONE, "aa"), attest=True)
    repositories.repository_create(place.owner, "main", slug="second")
    projects.project_create(place.owner, slug="web", repository="main")
    elsewhere = make_place()
    for change in (Change("a.py", ONE), Change("a.py", OTHER, "", ("aa",))):
        assert gate(place, change) == "attested"
        assert gate(place, change, repository="second") == "unclaimed"
        assert gate(elsewhere, change) == "unclaimed"
        found = verify.verify(place.owner, "web", changes=(change,), against_attestations=True)
        assert found.body["findings"][0]["status"] == "unclaimed"

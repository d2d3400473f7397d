"""Verification: what covers a change now, what the project makes of it, and what it costs to ask."""

import unicodedata

import pytest

from coordination.services import leases
from coordination.services.requests import Change
from tenants.problems import Problem
from tenants.services import projects
from tests.concurrency.stage import lapse
from tests.making import Place, claim
from tests.planning import statements
from tests.services.verifying import ONE, OTHER, asked, status, statuses

# What claims say


def test_the_clients_own_files_are_nobodys_ground(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ben, "**")
    answer = asked(ada, ".interlock/runs/x.json", "./.interlock/local.env")
    assert set(statuses(answer).values()) == {"exempt"}
    assert (answer["verdict"], answer["failed"]) == ("pass", 0)
    assert status(ada, ".interlock.py") == "held_by_other"


def test_paths_are_compared_in_normal_form_and_answered_as_they_were_sent(place: Place) -> None:
    ada = place.agent("ada")
    claim(ada, "file:caf\u00e9.md")
    decomposed = "./" + unicodedata.normalize("NFD", "caf\u00e9.md")
    assert statuses(asked(ada, decomposed)) == {decomposed: "covered"}


def test_a_change_is_found_among_thousands_that_are_held_above_and_beside_it(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ada, *(f"file:src/d{n % 30}/f{n}.py" for n in range(600)))
    claim(ben, "docs/**", "src/d7/*.md")
    found = statuses(asked(ada, *(f"src/d{n % 30}/f{n}.py" for n in range(300)), "docs/a/b.md", "src/d7/x.md", "new"))
    assert list(found.values()) == ["covered"] * 300 + ["held_by_other"] * 2 + ["unclaimed"]


def test_of_two_claims_that_cover_the_older_one_is_named(place: Place) -> None:
    ada = place.agent("ada")
    first = claim(ada, "src/a.py").body["id"]
    claim(ada, "src/**")
    [found] = asked(ada, "src/a.py")["findings"]
    assert found["claim"] == first


def test_the_same_change_twice_is_one_and_two_different_ones_are_refused(place: Place) -> None:
    ada = place.agent("ada")
    claim(ada, "a.py")
    answer = asked(ada, "a.py", "./a.py", "a.py", attest=True)
    assert (len(answer["findings"]), answer["attested"]) == (1, 1)
    with pytest.raises(Problem) as refusal:
        asked(ada, "b.py", "a.py", Change("./a.py", OTHER))
    assert [(error.field, error.code) for error in refusal.value.errors] == [("changes.2.path", "twice")]


# The verdict


@pytest.mark.parametrize(
    ("policy", "foreign", "open_", "covered"),
    [
        ("off", "pass", "pass", "pass"),
        ("warn", "fail", "warn", "pass"),
        ("enforce", "fail", "fail", "pass"),
    ],
)
def test_the_projects_policy_makes_the_verdict(
    place: Place, policy: str, foreign: str, open_: str, covered: str
) -> None:
    projects.project_change(place.owner, "main", policy={"verify_policy": policy})
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ben, "theirs.py")
    claim(ada, "mine.py")
    late = claim(ada, "late.py").body["id"]
    lapse(place, late)
    answers = {path: asked(ada, "mine.py", path) for path in ("theirs.py", "nobodys.py", "late.py", ".interlock/x")}
    assert {path: answer["verdict"] for path, answer in answers.items()} == {
        "theirs.py": foreign,
        "nobodys.py": open_,
        "late.py": open_,
        ".interlock/x": covered,
    }
    assert {answer["policy"] for answer in answers.values()} == {policy}
    assert [answer["failed"] for answer in answers.values()] == [1, 1, 1, 0]  # what was found is told in any case


def test_what_is_attested_passes_under_every_policy(place: Place) -> None:
    projects.project_change(place.owner, "main", policy={"verify_policy": "enforce"})
    ada = place.agent("ada")
    held = claim(ada, "a.py").body["id"]
    asked(ada, "a.py", attest=True)
    leases.release(ada, "main", held)
    assert asked(ada, "a.py", against_attestations=True)["verdict"] == "pass"
    assert asked(ada, "a.py")["verdict"] == "fail"


# What it costs


def test_a_verification_takes_as_many_statements_for_one_path_as_for_hundreds(place: Place) -> None:
    ada = place.agent("ada")
    claim(ada, "src/**")
    asked(ada, "warm.py")
    for many in (1, 300):
        changes = [Change(f"src/f{n}.py", ONE, "aa", ("aa", "bb")) for n in range(many)]
        with statements() as plain:
            asked(ada, *changes)
        with statements() as against:
            asked(ada, *changes, against_attestations=True)
        with statements() as attesting:
            asked(ada, *changes, attest=True)
        assert (len(plain), len(against), len(attesting)) == (2, 3, 4)
        with statements() as found:
            assert set(statuses(asked(ada, *changes, against_attestations=True)).values()) == {"attested"}
        assert len(found) == 2


def test_five_thousand_changes_are_attested_at_once(place: Place) -> None:
    ada = place.agent("ada")
    held = claim(ada, "src/**").body["id"]
    changes = [Change(f"src/d{n % 50}/f{n}.py", f"{n:040x}") for n in range(5000)]
    assert asked(ada, *changes, attest=True)["attested"] == 5000
    leases.release(ada, "main", held)
    assert set(statuses(asked(ada, *changes, against_attestations=True)).values()) == {"attested"}

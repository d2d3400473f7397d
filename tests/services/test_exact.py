"""Exact ground (``file:``) through the services: what it meets, how it is stored, shown, queued and taken back."""

import pytest

from coordination.selectors import claims as reads
from coordination.services import claims, drains, leases, verify
from coordination.services.requests import Change, ClaimRequest, ScopeRequest
from tenants.problems import Code, Problem
from tests.making import Place, claim, make_place
from tests.planning import statements


@pytest.fixture
def place() -> Place:
    """A fresh team."""
    return make_place()


def scoped(pattern: str, *excepts: str) -> ClaimRequest:
    """One scope, in scope syntax."""
    return ClaimRequest((ScopeRequest(pattern, excepts=excepts, field="scopes.0.pattern"),))


@pytest.mark.invariant("INV-28")
@pytest.mark.parametrize(
    ("other", "stands_beside"),
    [
        ("**/*.py", True),
        ("README.md/below", True),
        ("README.md/", True),
        ("file:README.md.orig", True),
        ("docs/**", True),
        ("README.md", False),
        ("*.md", False),
        ("**", False),
        ("file:README.md", False),
    ],
)
def test_a_held_file_is_in_the_way_of_what_covers_it_and_of_nothing_else(
    place: Place, other: str, stands_beside: bool
) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    assert claim(ada, "file:README.md").kind == "granted"
    second = claim(ben, other)
    assert (second.kind == "granted") is stands_beside
    if not stands_beside:
        [conflict] = second.body["conflicts"]
        assert (conflict["wanted"], conflict["held"]) == (other, "file:README.md")
        assert "file:README.md" in claim(ben, "file:README.md").body["detail"]


@pytest.mark.invariant("INV-28")
@pytest.mark.parametrize(("held", "free"), [("src", False), ("src/**", False), ("src/a.py", False), ("src/b.py", True)])
def test_a_file_is_refused_where_something_covers_it(place: Place, held: str, free: bool) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ada, held)
    assert (claim(ben, "file:src/a.py").kind == "granted") is free


def test_a_file_is_shown_as_it_was_asked_for_everywhere(place: Place) -> None:
    ada = place.agent("ada")
    held = claim(ada, "file:app/[id]/page.tsx").body
    shown = r"file:app/\[id\]/page.tsx"
    assert [s["pattern"] for s in held["scopes"]] == [shown]
    assert [s["pattern"] for s in reads.claim_get(ada, "main", held["id"])["scopes"]] == [shown]
    # What is shown can be sent back as it is, and is the same ground.
    again = claims.claim(place.agent("ben"), "main", scoped(shown))
    assert again.kind == "refused"


@pytest.mark.parametrize("asked", ["src/a.py", "file:src/a.py", "path:src/a.py"])
def test_the_claims_that_cover_a_path_include_those_of_the_file(place: Place, asked: str) -> None:
    ada = place.agent("ada")
    held = claim(ada, "file:src/a.py").body
    found = reads.claim_list(ada, "main", path=asked)["items"]
    assert [one["id"] for one in found] == [held["id"]]
    assert reads.claim_list(ada, "main", path="src/a.py/below")["items"] == []


def test_the_rest_of_what_was_wanted_leaves_the_file_out_and_can_be_claimed(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ada, "file:src/a.py")
    [left] = claim(ben, "src/**").body["narrow_to"]
    assert left["except"] == [{"pattern": "file:src/a.py", "symbols": []}]
    taken = claims.claim(ben, "main", scoped(left["pattern"], *(e["pattern"] for e in left["except"])))
    assert taken.kind == "granted"
    assert taken.body["scopes"][0]["except"] == left["except"]
    # The exception is stored as what it is: read back, it still keeps out the file, and only the file.
    assert reads.claim_get(ben, "main", taken.body["id"])["scopes"][0]["except"] == left["except"]
    eve = place.agent("eve")
    assert claim(eve, "src/a.py/below").kind == "refused"
    assert [c["holder"]["agent"] for c in claim(eve, "file:src/a.py").body["conflicts"]] == ["ada"]


def test_a_path_that_reads_like_a_file_is_said_with_its_kind(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ada, "path:file:notes")
    assert claim(ben, "file:notes").kind == "granted"
    [left] = claim(ben, "**").body["narrow_to"]
    assert left["except"] == [{"pattern": "path:file:notes", "symbols": []}]
    taken = claims.claim(ben, "main", scoped(left["pattern"], "path:file:notes"))
    assert taken.kind == "granted"
    assert taken.body["scopes"][0]["except"] == left["except"]


def test_case_is_compared_as_for_paths() -> None:
    place = make_place(case_insensitive=True)
    ada, ben = place.agent("ada"), place.agent("ben")
    claim(ada, "file:README.md")
    assert claim(ben, "readme.MD").kind == "refused"
    assert claim(ben, "file:Readme.md").kind == "refused"
    assert claim(ben, "readme.md/below").kind == "granted"


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        ("file:*.py", "exact_wildcard"),
        ("file:src/", "exact_directory"),
        ("file:", "empty"),
        ("file:../x", "dot_segment"),
    ],
)
def test_what_is_no_file_is_refused_by_its_rule(place: Place, pattern: str, rule: str) -> None:
    ada = place.agent("ada")
    with pytest.raises(Problem) as refusal:
        claim(ada, pattern)
    assert refusal.value.code is Code.INVALID
    assert [error.code for error in refusal.value.errors] == [rule]


def test_a_claim_is_narrowed_to_a_file_and_not_widened_from_it(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    held = claim(ada, "src").body["id"]
    leases.change(ada, "main", held, scopes=(ScopeRequest("file:src/a.py", field="scopes.0"),))
    assert claim(ben, "src/b.py").kind == "granted"
    assert claim(ben, "src/a.py").kind == "refused"
    with pytest.raises(Problem, match=r"src/a\.py is not within"):
        leases.change(ada, "main", held, scopes=(ScopeRequest("src/a.py", field="scopes.0"),))


def test_a_waiter_for_a_file_is_granted_when_what_covers_it_goes(place: Place) -> None:
    ada, ben = place.agent("ada"), place.agent("ben")
    held = claim(ada, "src/**").body["id"]
    entry = claim(ben, "file:src/a.py", wait_seconds=0)
    assert entry.kind == "queued"
    assert [s["pattern"] for s in entry.body["scopes"]] == ["file:src/a.py"]
    leases.release(ada, "main", held)
    drains.drain(place.team_id, place.project_id)
    [granted] = reads.claim_list(ben, "main", path="src/a.py")["items"]
    assert [s["pattern"] for s in granted["scopes"]] == ["file:src/a.py"]
    assert claim(ada, "src/a.py/below").kind == "granted"


def test_a_change_is_covered_by_the_file_it_is(place: Place) -> None:
    ada = place.agent("ada")
    held = claim(ada, "file:src/a.py").body
    changes = (Change("src/a.py"), Change("src/a.py/below"), Change("src/b.py"))
    found = verify.verify(ada, "main", changes=changes).body["findings"]
    assert [(f["path"], f["status"], f["claim"]) for f in found] == [
        ("src/a.py", "covered", held["id"]),
        ("src/a.py/below", "unclaimed", None),
        ("src/b.py", "unclaimed", None),
    ]


def test_files_cost_no_more_statements_than_paths(place: Place) -> None:
    ada = place.agent("ada")
    claim(ada, "file:warm")
    with statements() as seen:
        held = claim(ada, "file:src/a.py", "file:src/b.py").body["id"]
    assert len(seen) == 3, seen
    with statements() as seen:
        leases.release(ada, "main", held)
    assert len(seen) == 2, seen

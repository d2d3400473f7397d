"""Decisions: rules 0, 1 and 5 of claims.md, against a decision that looks at every pair."""

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.decide import Decision, Standing, Wanted, decide
from coordination.engine.ground import KINDS, Ground, Reach, ground_meets, split_kind
from coordination.engine.index import GroundIndex
from coordination.engine.modes import DEFAULT_TTL, Mode, Urgency, compatible, level
from coordination.engine.overlap import covers_path, meets
from coordination.engine.patterns import PatternError

from .reference import all_paths
from .strategies import examples, ground_rows, grounds, one, simple_texts, standings, wanteds

PATHS = all_paths("ab", 2, 3)


def ground(text: str, *excepts: str, root: str = "r", scope: int = 0) -> Ground:
    return Ground(root, one(text), tuple(one(e) for e in excepts), scope)


def claim(claim_id: str, holder: str, text: str, *excepts: str, mode: Mode = Mode.EXCLUSIVE) -> Standing:
    return Standing(claim_id, "claim", holder, mode, (ground(text, *excepts),))


def want(*texts: str, mode: Mode = Mode.EXCLUSIVE) -> Wanted:
    return Wanted("me", mode, tuple(ground(text, scope=at) for at, text in enumerate(texts)))


@examples(120)
@given(wanteds, standings())
def test_a_decision_is_what_looking_at_every_pair_gives(wanted: Wanted, held: list[Standing]) -> None:
    met = [
        (w, standing, h)
        for w in wanted.grounds
        for standing in sorted(held, key=lambda standing: standing.id)
        for h in standing.grounds
        if standing.holder != wanted.holder and ground_meets(w, h)
    ]
    conflicts = [found for found in met if not compatible(found[1].mode, wanted.mode)]
    beside = {s.id for _, s, _ in met if s.kind == "claim" and compatible(s.mode, wanted.mode)}
    decision = decide(wanted, held)
    assert decision.granted is (not conflicts)
    assert decision.total == len(conflicts)
    assert [(c.wanted, c.standing, c.held) for c in decision.conflicts] == conflicts[:50]
    assert decision.coexists == tuple(sorted(beside))


@examples(100)
@given(wanteds, standings(), st.randoms(use_true_random=False))
def test_the_order_of_standings_does_not_matter(wanted: Wanted, held: list[Standing], shuffled: random.Random) -> None:
    other = list(held)
    shuffled.shuffle(other)
    assert decide(wanted, held, limit=3) == decide(wanted, other, limit=3)


@examples(120)
@given(wanteds, standings())
def test_what_is_offered_as_free_can_be_claimed(wanted: Wanted, held: list[Standing]) -> None:
    decision = decide(wanted, held)
    again = decide(dataclasses.replace(wanted, grounds=decision.free), held)
    assert again.granted
    assert again.free == decision.free
    if decision.granted:
        assert decision.free == wanted.grounds


@examples(60)
@given(wanteds, standings())
def test_free_ground_is_what_was_wanted_outside_the_patterns_met(wanted: Wanted, held: list[Standing]) -> None:
    decision = decide(wanted, held, limit=10_000)
    free = {g.scope: g for g in decision.free}
    for asked in wanted.grounds:
        met = [c.held.pattern for c in decision.conflicts if c.wanted == asked]
        for path in PATHS:
            left = covers_path(asked.pattern, asked.excepts, path) and not any(p.matches(path) for p in met)
            kept = free.get(asked.scope)
            assert (kept is not None and covers_path(kept.pattern, kept.excepts, path)) is left


@examples(100)
@given(standings(most=8), standings(most=8))
def test_claims_granted_one_after_another_are_pairwise_compatible(
    first: list[Standing], second: list[Standing]
) -> None:
    granted: list[Standing] = []
    for at, asked in enumerate([*first, *second]):
        if decide(Wanted(asked.holder, asked.mode, asked.grounds), granted).granted:
            granted.append(dataclasses.replace(asked, id=f"g{at}", kind="claim"))
    for a in granted:
        for b in granted:
            if a.holder != b.holder and any(ground_meets(x, y) for x in a.grounds for y in b.grounds):
                assert compatible(a.mode, b.mode)


@examples(80)
@given(simple_texts, st.lists(ground_rows, max_size=8))
def test_the_index_finds_exactly_the_grounds_that_meet(text: str, rows: list[tuple[Ground, ...]]) -> None:
    index: GroundIndex[int] = GroundIndex()
    held = [g for row in rows for g in row]
    for at, each in enumerate(held):
        index.add(each, at)
    asked = ground(text)
    expected = [at for at, h in enumerate(held) if h.root == "r" and meets(asked.pattern, (), h.pattern, h.excepts)]
    assert sorted(at for _, at in index.meeting(asked)) == expected


@examples(60)
@given(st.lists(grounds, min_size=1, max_size=8))
def test_the_index_may_grow_between_look_ups(held: list[Ground]) -> None:
    index: GroundIndex[int] = GroundIndex()
    for at, each in enumerate(held):
        index.add(each, at)
        for asked in held:
            expected = [old for old, h in enumerate(held[: at + 1]) if ground_meets(asked, h)]
            assert sorted(old for _, old in index.meeting(asked)) == expected


def test_grounds_below_are_found_after_the_index_grew() -> None:
    index: GroundIndex[str] = GroundIndex()
    for text in ("src/z", "src/a", "src.x", "src0", "src/m/n", "srd", "src/b"):
        index.add(ground(text), text)
        list(index.meeting(ground("src")))
    assert sorted(text for _, text in index.meeting(ground("src"))) == ["src/a", "src/b", "src/m/n", "src/z"]


def test_ground_with_many_exceptions_meets_what_is_left_of_it() -> None:
    out = [f"src/d{i}/a.py" for i in range(20)] + ["src/e/**/*.md", "src/f"]
    asked = ground("src/**", *out)
    held = [
        *(ground(f"src/d{i}/a.py") for i in range(25)),
        *(ground(text) for text in ("src/e/*.md", "src/e", "src/f/g", "src/*/a.py", "lib")),
    ]
    index: GroundIndex[str] = GroundIndex()
    for each in held:
        index.add(each, each.pattern.text)
    expected = [f"src/d{i}/a.py" for i in range(20, 25)] + ["src/e", "src/*/a.py"]
    assert sorted(text for _, text in index.meeting(asked)) == sorted(expected)


@pytest.mark.parametrize("text", ["**/*.py", "*/a?.py", "d1*/**", "**", "d1", "d1/a3.py", "d?/", "[d]1/a3.py"])
def test_a_wide_claim_against_many_literals_meets_those_it_overlaps(text: str) -> None:
    held = [claim(f"{i:04}", "other", f"d{i % 20}/a{i}.py") for i in range(300)]
    asked = want(text)
    expected = [s.id for s in held if ground_meets(asked.grounds[0], s.grounds[0])]
    decision = decide(asked, held, limit=1000)
    assert [c.standing.id for c in decision.conflicts] == expected
    assert decide(asked, held).total == len(expected)
    assert len(decide(asked, held).conflicts) == min(50, len(expected))


def test_one_holder_never_conflicts_with_itself() -> None:
    decision = decide(want("src"), [claim("c1", "me", "src")])
    assert decision == Decision(True, (), 0, (), want("src").grounds)


def test_disjoint_ground_coexists_unmentioned() -> None:
    held = [claim("c1", "other", "src/a"), claim("c2", "other", "src/**", "src/b")]
    assert decide(want("src/b/x.py"), held).granted
    assert decide(want("src/b/x.py"), held).coexists == ()


def test_a_request_is_all_or_nothing() -> None:
    decision = decide(want("docs", "src/a.py", "lib/**"), [claim("c1", "other", "src")])
    assert not decision.granted
    assert [(c.wanted.scope, c.standing.id) for c in decision.conflicts] == [(1, "c1")]
    assert [g.pattern.text for g in decision.free] == ["docs", "lib/**"]


def test_what_is_left_is_offered_with_exceptions() -> None:
    held = [
        claim("c2", "other", "src/a/x.py"),
        claim("c1", "third", "src/b/**"),
        claim("c3", "third", "src/a"),
    ]
    decision = decide(want("src/**"), held)
    (left,) = decision.free
    # src/a/x.py is within src/a and need not be said.
    assert [p.text for p in left.excepts] == ["src/a", "src/b/**"]
    assert [c.standing.id for c in decision.conflicts] == ["c1", "c2", "c3"]


def test_exceptions_already_made_stay_in_what_is_offered() -> None:
    asked = Wanted("me", Mode.EXCLUSIVE, (ground("src/**", "src/x"),))
    (left,) = decide(asked, [claim("c1", "other", "src/a")]).free
    assert [p.text for p in left.excepts] == ["src/a", "src/x"]


def test_conflicts_are_counted_beyond_those_listed() -> None:
    held = [claim(f"c{i:03}", "other", f"src/{i}.py") for i in range(80)]
    decision = decide(want("src"), held, limit=5)
    assert decision.total == 80
    assert [c.standing.id for c in decision.conflicts] == ["c000", "c001", "c002", "c003", "c004"]
    assert len(decision.free[0].excepts) == 80


def test_queue_entries_conflict_but_are_not_listed_as_coexisting() -> None:
    entry = dataclasses.replace(claim("e1", "other", "src"), kind="queue_entry")
    assert decide(want("src/a"), [entry]).conflicts[0].standing.kind == "queue_entry"
    assert decide(want("src/a", mode=Mode.ADVISORY), [entry]).coexists == ()


def test_ground_of_another_root_never_meets() -> None:
    elsewhere = Standing("c1", "claim", "other", Mode.EXCLUSIVE, (ground("**", root="s"),))
    assert decide(want("src"), [elsewhere]).granted


# claims.md, Modes: rows held, columns wanted.
TABLE = {
    Mode.EXCLUSIVE: (False, False, False, True),
    Mode.SHARED: (False, True, False, True),
    Mode.READ: (False, False, True, True),
    Mode.ADVISORY: (True, True, True, True),
}


@pytest.mark.parametrize("held", Mode)
@pytest.mark.parametrize("wanted", Mode)
def test_modes_stand_beside_each_other_as_the_table_says(held: Mode, wanted: Mode) -> None:
    expected = TABLE[held][list(Mode).index(wanted)]
    assert compatible(held, wanted) is expected
    decision = decide(want("src/a", mode=wanted), [claim("c1", "other", "src", mode=held)])
    assert decision.granted is expected
    assert decision.coexists == (("c1",) if expected else ())


def test_modes_last_as_long_as_the_design_says() -> None:
    assert [DEFAULT_TTL[mode] // 3600 for mode in Mode] == [4, 2, 4, 4]


def test_urgency_is_spoken_by_label_and_ages_to_blocking() -> None:
    assert [u.label for u in Urgency] == ["low", "normal", "high", "blocking"]
    assert all(Urgency.from_label(u.label) is u for u in Urgency)
    with pytest.raises(ValueError, match="low, normal, high, blocking"):
        Urgency.from_label("now")
    assert [level(Urgency.LOW, waited) for waited in (-5, 0, 59.9, 60, 120, 180, 1e9)] == [
        0,
        0,
        0,
        1,
        2,
        3,
        3,
    ]
    assert level(Urgency.NORMAL, 1e9, 0) == Urgency.NORMAL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("src/a.py", ("path", "src/a.py")),
        ("branch:main", ("branch", "main")),
        ("branch:feature/x:y", ("branch", "feature/x:y")),
        ("port:3000", ("port", "3000")),
        ("git:index", ("git", "index")),
        ("contract:orders-api", ("contract", "orders-api")),
        ("task:KEY-12", ("task", "KEY-12")),
        ("path:weird:file", ("path", "weird:file")),
        ("path:branch:main", ("path", "branch:main")),
        ("file:README.md", ("file", "README.md")),
        ("file:a:b", ("file", "a:b")),
        ("path:file:a", ("path", "file:a")),
        ("src/a:b", ("path", "src/a:b")),
        ("*:b", ("path", "*:b")),
        (":b", ("path", ":b")),
        ("a b:c", ("path", "a b:c")),
    ],
)
def test_a_scope_is_a_kind_and_a_name(text: str, expected: tuple[str, str]) -> None:
    assert split_kind(text) == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("brnch:main", "unknown_kind"),
        ("C:/src", "unknown_kind"),
        ("Branch:main", "unknown_kind"),
        ("branch:", "empty"),
        ("path:", "empty"),
        ("file:", "empty"),
        ("git:HEAD~1", "unknown_name"),
    ],
)
def test_an_unknown_kind_or_name_is_refused_with_advice(text: str, rule: str) -> None:
    with pytest.raises(PatternError) as refusal:
        split_kind(text)
    assert refusal.value.rule == rule
    if rule == "unknown_kind":
        assert all(kind in refusal.value.detail for kind in KINDS)
        assert f"path:{text}" in refusal.value.detail


def test_kinds_reach_as_far_as_the_design_says() -> None:
    reaches = {reach: {k.name for k in KINDS.values() if k.reach is reach} for reach in Reach}
    assert reaches == {
        Reach.REPOSITORY: {"path", "file", "branch", "migration"},
        Reach.PROJECT: {"env", "build", "contract", "task"},
        Reach.HOST: {"port"},
        Reach.WORKTREE: {"git"},
    }
    assert KINDS["git"].names == frozenset({"index", "stash", "head"})

"""The queue: order, reservations, barging, drains that grant, and that nobody starves."""

import dataclasses
import random
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.decide import Standing, Wanted, decide
from coordination.engine.ground import Ground, ground_meets
from coordination.engine.modes import Mode, Urgency, compatible, level
from coordination.engine.queue import Entry, blocking_entries, goes_before, order, plan, reserves

from .strategies import examples, one, queues, standings


def entry(
    name: str,
    text: str,
    *,
    arrival: int,
    mode: Mode = Mode.EXCLUSIVE,
    holder: str | None = None,
    urgency: Urgency = Urgency.NORMAL,
    waited: float = 0,
) -> Entry:
    return Entry(name, holder or f"holder of {name}", mode, (Ground("r", one(text)),), urgency, arrival, waited)


def as_claim(waiting: Entry) -> Standing:
    return Standing(waiting.id, "claim", waiting.holder, waiting.mode, waiting.grounds)


def clash(a: Entry | Standing, b: Entry | Standing) -> bool:
    if a.holder == b.holder or compatible(a.mode, b.mode):
        return False
    return any(ground_meets(x, y) for x in a.grounds for y in b.grounds)


def test_higher_levels_then_earlier_arrivals_are_served_first() -> None:
    aged = entry("aged", "a", arrival=3, urgency=Urgency.LOW, waited=125)
    row = [
        entry("late", "a", arrival=9),
        entry("high", "a", arrival=8, urgency=Urgency.HIGH),
        entry("early", "a", arrival=1),
        aged,
    ]
    assert [e.id for e in order(row)] == ["aged", "high", "early", "late"]
    assert [e.id for e in order(row, boost_seconds=0)] == ["high", "early", "late", "aged"]
    assert goes_before(row[2], row[0])
    assert not goes_before(row[0], row[0])


@examples(60)
@given(queues(), st.sampled_from([0, 60, 100]))
def test_the_order_is_total_and_agrees_with_goes_before(row: list[Entry], boost: int) -> None:
    served = order(row, boost)
    assert served == order(reversed(row), boost)
    for at, earlier in enumerate(served):
        for later in served[at + 1 :]:
            assert goes_before(earlier, later, boost) and not goes_before(later, earlier, boost)
            levels = [level(e.urgency, e.waited, boost) for e in (earlier, later)]
            assert (-levels[0], earlier.arrival) <= (-levels[1], later.arrival)


def test_an_entry_reserves_from_its_first_age_boost_on() -> None:
    assert [reserves(entry("e", "a", arrival=1, waited=w)) for w in (0, 59.9, 60, 500)] == [
        False,
        False,
        True,
        True,
    ]
    # A level cannot rise above blocking, but the age still counts.
    assert reserves(entry("e", "a", arrival=1, waited=60, urgency=Urgency.BLOCKING))
    assert not reserves(entry("e", "a", arrival=1, waited=500), boost_seconds=0)


def slow_plan(row: list[Entry], claims: list[Standing], overtaking: set[tuple[str, str]]) -> list[str]:
    """The rule of concurrency.md pair by pair."""
    granted: list[Entry] = []
    waiting: list[Entry] = []
    for each in order(row):
        blocked = any(clash(each, other) for other in chain[Entry | Standing](claims, granted)) or any(
            clash(each, earlier)
            for earlier in waiting
            if earlier.waited >= 60 and (each.holder, earlier.id) not in overtaking
        )
        (waiting if blocked else granted).append(each)
    return [e.id for e in granted]


_overtaking = st.sets(st.tuples(st.sampled_from(["h0", "h1", "h2"]), st.sampled_from(["e0", "e1", "e2"])), max_size=4)


@examples(150)
@given(queues(), standings(most=4), _overtaking)
def test_a_plan_is_what_looking_at_every_pair_gives(
    row: list[Entry], claims: list[Standing], overtaking: set[tuple[str, str]]
) -> None:
    assert plan(row, claims, overtakes=lambda holder, e: (holder, e.id) in overtaking) == slow_plan(
        row, claims, overtaking
    )


@examples(60)
@given(queues(), standings(most=4))
def test_no_two_grants_of_a_plan_clash_and_each_is_grantable(row: list[Entry], claims: list[Standing]) -> None:
    by_id = {e.id: e for e in row}
    standing = list(claims)
    for name in plan(row, claims):
        granted = by_id[name]
        assert decide(Wanted(granted.holder, granted.mode, granted.grounds), standing).granted
        standing.append(as_claim(granted))
    # Whole and final: with those granted nothing more can be.
    left = [e for e in row if e.id not in {s.id for s in standing[len(claims) :]}]
    assert plan(left, standing) == []


@examples(60)
@given(queues(), standings(most=3))
def test_whoever_is_granted_now_is_not_held_up_by_the_entries_that_count_against_it(
    row: list[Entry], claims: list[Standing]
) -> None:
    ready = frozenset(plan(row, claims))
    by_id = {e.id: e for e in row}
    for each in row:
        mine = (level(each.urgency, each.waited), each.arrival)
        wanted = Wanted(each.holder, each.mode, each.grounds)
        against = blocking_entries(wanted, mine, row, ready=ready)
        assert all(s.kind == "queue_entry" and goes_before(by_id[s.id], each) for s in against)
        if each.id in ready:
            assert decide(wanted, against).granted
        expected = [
            e.id
            for e in order(row)
            if goes_before(e, each) and e.holder != each.holder and not compatible(e.mode, each.mode)
            if e.id in ready or reserves(e)
        ]
        assert [s.id for s in against] == expected


def test_one_young_wait_for_everything_does_not_freeze_the_rest() -> None:
    claims = [as_claim(entry("c", "src/a.py", arrival=0))]
    wide = entry("wide", "**", arrival=1)
    small = entry("small", "docs/x.md", arrival=2)
    assert plan([wide, small], claims) == ["small"]
    aged = dataclasses.replace(wide, waited=60)
    assert plan([aged, small], claims) == []
    assert plan([aged, entry("mine", "docs/x.md", arrival=2, holder=wide.holder)], claims) == ["mine"]


def test_an_aged_entry_that_waits_for_me_does_not_hold_me_up() -> None:
    claims = [as_claim(entry("c", "src/a.py", arrival=0, holder="me"))]
    aged = entry("aged", "src", arrival=1, waited=90)
    mine = entry("mine", "src/b.py", arrival=2, holder="me")
    assert plan([aged, mine], claims) == []
    assert plan([aged, mine], claims, overtakes=lambda holder, e: (holder, e.id) == ("me", "aged")) == ["mine"]
    wanted = Wanted("me", Mode.EXCLUSIVE, mine.grounds)
    assert [s.id for s in blocking_entries(wanted, (1, 2), [aged])] == ["aged"]
    assert blocking_entries(wanted, (1, 2), [aged], overtakes=lambda holder, e: True) == ()


def test_a_newcomer_does_not_barge_past_an_entry_that_is_ready() -> None:
    young = entry("young", "src", arrival=1, waited=5)
    newcomer = Wanted("new", Mode.EXCLUSIVE, (Ground("r", one("src/a.py")),))
    assert blocking_entries(newcomer, (1, 2), [young]) == ()
    assert [s.id for s in blocking_entries(newcomer, (1, 2), [young], ready=frozenset({"young"}))] == ["young"]
    # A more urgent newcomer goes first.
    assert blocking_entries(newcomer, (2, 2), [young], ready=frozenset({"young"})) == ()
    reader = dataclasses.replace(newcomer, mode=Mode.ADVISORY)
    assert blocking_entries(reader, (1, 2), [young], ready=frozenset({"young"})) == ()


def test_a_grant_stands_before_those_after_it_in_the_same_plan() -> None:
    row = [
        entry("first", "src", arrival=1),
        entry("second", "src/a.py", arrival=2),
        entry("third", "docs", arrival=3, mode=Mode.SHARED),
        entry("fourth", "docs/x", arrival=4, mode=Mode.SHARED),
        entry("fifth", "docs/x", arrival=5, mode=Mode.READ),
    ]
    assert plan(row, []) == ["first", "third", "fourth"]


def test_nobody_starves() -> None:
    # Small urgent claims arrive for ever on ground a low wide entry waits for; each lasts 50 s. In the end it
    # is served.
    chance = random.Random(7)
    held: list[tuple[float, Standing]] = []
    waiting = [entry("wide", "src/**", arrival=0, urgency=Urgency.LOW)]
    came = {"wide": 0.0}
    served: dict[str, float] = {}
    for tick in range(200):
        now = tick * 5.0
        held = [(until, claim) for until, claim in held if until > now]
        name = f"e{tick}"
        text = f"src/{chance.choice('abc')}/x.py"
        waiting.append(entry(name, text, arrival=tick + 1, urgency=Urgency.HIGH))
        came[name] = now
        waiting = [dataclasses.replace(e, waited=now - came[e.id]) for e in waiting]
        for granted in plan(waiting, [claim for _, claim in held]):
            one_of = next(e for e in waiting if e.id == granted)
            held.append((now + 50, as_claim(one_of)))
            served[granted] = now - came[granted]
            waiting.remove(one_of)
        if "wide" in served:
            break
    # Three boosts make it blocking; then nothing newer passes it, and what stands or ranks as high runs out.
    assert served["wide"] < 600

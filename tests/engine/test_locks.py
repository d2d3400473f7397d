"""Lock plans: two grounds that could overlap always share a key one of them takes exclusively."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.locks import LockKey, lock_key, plan
from coordination.engine.patterns import ancestors

from .strategies import examples

_PREFIXES = st.lists(st.sampled_from("abc"), max_size=5).map("/".join)
_NODES = st.tuples(st.sampled_from(["r", "s"]), _PREFIXES)
_GROUNDS = st.lists(_NODES, min_size=1, max_size=20)


def _modes(keys: tuple[LockKey, ...]) -> dict[int, bool]:
    assert len({k.key for k in keys}) == len(keys)
    return {k.key: k.exclusive for k in keys}


def _comparable(a: str, b: str) -> bool:
    return a == b or a in ancestors(b) or b in ancestors(a)


@examples(150)
@given(_GROUNDS, _GROUNDS, st.integers(2, 40), st.integers(2, 40))
def test_related_prefixes_share_a_key_one_side_holds_alone(
    a: list[tuple[str, str]], b: list[tuple[str, str]], a_limit: int, b_limit: int
) -> None:
    mine, theirs = _modes(plan(a, limit=a_limit)), _modes(plan(b, limit=b_limit))
    if any(x[0] == y[0] and _comparable(x[1], y[1]) for x in a for y in b):
        assert any(mine[key] or theirs[key] for key in mine.keys() & theirs.keys())


@examples(120)
@given(_GROUNDS)
def test_a_plan_shares_the_ancestors_and_takes_the_prefixes(grounds: list[tuple[str, str]]) -> None:
    expected: dict[int, bool] = {}
    for root, prefix in grounds:
        for above in ancestors(prefix):
            expected.setdefault(lock_key(root, above), False)
    expected.update({lock_key(root, prefix): True for root, prefix in grounds})
    assert [(k.key, k.exclusive) for k in plan(grounds)] == sorted(expected.items())


@examples(120)
@given(_GROUNDS, st.integers(2, 30))
def test_a_plan_keeps_to_its_limit_and_only_coarsens_over_it(grounds: list[tuple[str, str]], limit: int) -> None:
    full, coarse = plan(grounds), plan(grounds, limit=limit)
    assert len(coarse) <= limit
    if len(full) <= limit:
        assert coarse == full


def test_unrelated_directories_are_decided_at_the_same_time() -> None:
    mine, theirs = _modes(plan([("r", "src/a")])), _modes(plan([("r", "src/b")]))
    shared = mine.keys() & theirs.keys()
    assert shared == {lock_key("r", ""), lock_key("r", "src")}
    assert not any(mine[key] or theirs[key] for key in shared)
    assert not _modes(plan([("r", "src")])).keys() & _modes(plan([("s", "src")])).keys()


def test_the_deepest_level_is_coarsened_first_and_the_root_last() -> None:
    grounds = [("r", f"src/d{i}/f{j}") for i, j in itertools.product(range(4), range(10))]
    assert _modes(plan(grounds, limit=10)) == {
        lock_key("r", ""): False,
        lock_key("r", "src"): False,
        **{lock_key("r", f"src/d{i}"): True for i in range(4)},
    }
    assert _modes(plan(grounds, limit=3)) == {lock_key("r", ""): False, lock_key("r", "src"): True}
    assert _modes(plan(grounds, limit=1)) == {lock_key("r", ""): True}


def test_every_root_keeps_a_key_whatever_the_limit() -> None:
    keys = plan([(f"r{i}", "a/b") for i in range(5)], limit=1)
    assert _modes(keys) == {lock_key(f"r{i}", ""): True for i in range(5)}


def test_keys_are_signed_64_bit_and_the_same_everywhere() -> None:
    # Several processes and versions take these against each other: the value is a contract.
    assert lock_key("r", "src/auth") == -1238407160962455447
    assert all(-(2**63) <= lock_key("r", str(i)) < 2**63 for i in range(1000))
    assert min(lock_key("r", str(i)) for i in range(100)) < 0


def test_twenty_thousand_prefixes_make_one_small_plan() -> None:
    grounds = [("r", f"app/d{i % 100}/e{i % 700}/f{i}.py") for i in range(20_000)]
    keys = plan(grounds)
    assert len(keys) == 102
    assert sum(k.exclusive for k in keys) == 100


def test_no_ground_needs_no_lock() -> None:
    assert plan([]) == ()

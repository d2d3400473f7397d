"""Overlap is exact: against brute force, against an explicit automaton, and on the table of known pairs."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coordination.engine.automaton import find_path
from coordination.engine.overlap import contains, covers_path, meets, overlaps, without_covered
from coordination.engine.patterns import Syntax, parse
from coordination.engine.segment import Segment, Token, Wild

from .reference import all_paths, slow_matches, slow_meets
from .strategies import brace_texts, examples, literal_paths, one, simple_texts

PATHS = all_paths("abc", 2, 2) + all_paths("ab", 1, 4)

# From the table of pattern pairs of a peer, coord 0.49, column "should". Ours is anchored, so a name without a slash
# is one path at the root (the row coord calls a product choice), and `*.py` does not reach into directories;
# `**/*.py` does.
TABLE = [
    ("src/auth/**", "src/auth/login.ts", True),
    ("src/*_test.py", "src/test_*.py", True),
    ("src/*/x.ts", "src/a/**", True),
    ("src/**/*.ts", "src/api/**", True),
    ("src/auth/**", "src/**/login.ts", True),
    ("**/*.py", "src/auth/**", True),
    ("*.py", "src/auth/**", False),
    ("src/**/test_*.py", "src/a/**", True),
    ("src/a/**", "src/**/b/*.ts", True),
    ("docs/*.md", "docs/guide/**", False),
    ("package.json", "apps/web/package.json", False),
    ("**/package.json", "apps/web/package.json", True),
    ("SRC/a.py", "src/a.py", False),
    ("src/auth", "src/auth/login.py", True),
    ("src/auth", "src/auth2/login.py", False),
    ("src/auth/", "src/auth", True),
    ("src/auth/", "src/auth/**", True),
    ("src/*", "src/a/b.py", False),
    ("src/*/", "src/a", True),
    ("src/*/", "src/a/b/c.py", True),
    ("**", "any/thing", True),
    ("a**b", "a/b", False),
    ("a**b", "axxb", True),
    ("a/**/b", "a/b", True),
    ("app/[id]/page.tsx", "app/i/page.tsx", False),
]


@pytest.mark.parametrize(("a", "b", "expected"), TABLE)
def test_known_pairs_overlap_or_not(a: str, b: str, expected: bool) -> None:
    first, second = one(a, syntax=Syntax.PATH), one(b, syntax=Syntax.PATH)
    assert overlaps(first, second) is expected
    assert overlaps(second, first) is expected


@examples(150)
@given(simple_texts)
def test_a_pattern_matches_the_paths_of_its_definition(text: str) -> None:
    pattern = one(text)
    assert [p for p in PATHS if pattern.matches(p)] == [p for p in PATHS if slow_matches(text, p)]


@examples(60)
@given(brace_texts)
def test_a_brace_pattern_matches_what_one_of_its_alternatives_matches(text: str) -> None:
    patterns = parse(text, syntax=Syntax.SCOPE)
    for path in PATHS:
        assert any(p.matches(path) for p in patterns) == slow_matches(text, path), path


@examples(150)
@given(simple_texts)
def test_everything_matched_lies_at_or_below_the_prefix(text: str) -> None:
    prefix = one(text).prefix
    for path in PATHS:
        if prefix and slow_matches(text, path):
            assert path == prefix or path.startswith(prefix + "/")


@examples(700)
@given(simple_texts, simple_texts)
@example("a/**", "a")
@example("a/*/", "a/b")
@example("**/a", "b/**/b")
def test_overlap_is_what_an_explicit_automaton_finds(a: str, b: str) -> None:
    assert overlaps(one(a), one(b)) is slow_meets([a, b])


@examples(150)
@given(simple_texts, simple_texts)
def test_patterns_that_share_a_path_overlap(a: str, b: str) -> None:
    if any(slow_matches(a, path) and slow_matches(b, path) for path in PATHS):
        assert overlaps(one(a), one(b))


@examples(80)
@given(brace_texts, brace_texts)
def test_brace_patterns_overlap_when_alternatives_do(a: str, b: str) -> None:
    left, right = parse(a, syntax=Syntax.SCOPE), parse(b, syntax=Syntax.SCOPE)
    assert any(overlaps(x, y) for x in left for y in right) is slow_meets([a, b])


@examples(120)
@given(simple_texts, simple_texts)
def test_overlap_is_symmetric_and_a_pattern_overlaps_itself(a: str, b: str) -> None:
    assert overlaps(one(a), one(b)) is overlaps(one(b), one(a))
    assert overlaps(one(a), one(a))


excepts = st.lists(simple_texts, max_size=3)


@examples(400)
@given(simple_texts, excepts, simple_texts, excepts)
@example("a/**", ["a/*", "a/*/**"], "a/**/b", [])
@example("*", ["?", "??"], "*", [])
@example("a", ["a/"], "a", [])
@example("a/*", ["a/[!a]*", "a/a*"], "**", [])
def test_meeting_minus_exceptions_is_what_an_explicit_automaton_finds(
    a: str, a_except: list[str], b: str, b_except: list[str]
) -> None:
    found = meets(one(a), [one(e) for e in a_except], one(b), [one(e) for e in b_except])
    assert found is slow_meets([a, b], [*a_except, *b_except])
    assert found is meets(one(b), [one(e) for e in b_except], one(a), [one(e) for e in a_except])


@examples(400)
@given(simple_texts, simple_texts)
def test_containment_is_what_an_explicit_automaton_finds(outer: str, inner: str) -> None:
    assert contains(one(outer), one(inner)) is not slow_meets([inner], [outer])


@examples(120)
@given(simple_texts, excepts, literal_paths)
def test_a_path_is_covered_when_matched_and_not_excepted(text: str, out: list[str], path: str) -> None:
    expected = slow_matches(text, path) and not any(slow_matches(e, path) for e in out)
    assert covers_path(one(text), [one(e) for e in out], path) is expected


@examples(120)
@given(st.lists(simple_texts, max_size=6))
def test_leaving_out_covered_patterns_keeps_the_set(texts: list[str]) -> None:
    patterns = [one(text) for text in texts]
    kept = without_covered(patterns)
    assert kept == without_covered(reversed(patterns))
    for path in PATHS:
        assert any(p.matches(path) for p in kept) is any(p.matches(path) for p in patterns)


@examples(300)
@given(simple_texts, literal_paths)
def test_both_ways_to_meet_a_literal_agree(text: str, path: str) -> None:
    glob, expected = one(text), slow_meets([text, path])
    assert (glob.shape.meeter.match(path) is not None) is expected
    assert overlaps(glob, one(path)) is expected
    assert overlaps(glob, one(path + "/")) is slow_meets([text, path + "/"])


@examples(400)
@given(st.lists(simple_texts, min_size=1, max_size=3), excepts)
@example(["*", "?", "[!a]"], ["b", "a"])
@example(["**/a", "b/**"], ["b/*"])
def test_the_search_for_a_path_is_what_an_explicit_automaton_finds(must: list[str], never: list[str]) -> None:
    found = find_path([one(text).shape for text in must], [one(text).shape for text in never])
    assert found is slow_meets(must, never)


@examples(150)
@given(simple_texts)
def test_the_sample_of_a_pattern_is_a_path_it_covers(text: str) -> None:
    assert one(text).matches(one(text).shape.sample)


_TOKENS: list[Token] = ["a", "b", Wild.ANY, Wild.STAR]
_NAMES = ["".join(name) for size in range(1, 7) for name in itertools.product("ab", repeat=size)]


def _accepts(row: tuple[Token, ...], name: str) -> bool:
    if not row:
        return not name
    if row[0] is Wild.STAR:
        return _accepts(row[1:], name) or (name != "" and _accepts(row, name[1:]))
    return name != "" and row[0] in (name[0], Wild.ANY) and _accepts(row[1:], name[1:])


def test_every_pair_of_short_segments_meets_when_some_name_fits_both() -> None:
    # Three tokens a side: no shortest common name is longer than six.
    rows = [row for size in (1, 2, 3) for row in itertools.product(_TOKENS, repeat=size)]
    rows = [row for row in rows if (Wild.STAR, Wild.STAR) not in itertools.pairwise(row)]
    fits = [sum(1 << at for at, name in enumerate(_NAMES) if _accepts(row, name)) for row in rows]
    segments = [Segment(row) for row in rows]
    for segment, fit in zip(segments, fits, strict=True):
        assert sum(1 << at for at, name in enumerate(_NAMES) if segment.accepts(name)) == fit
        for other, also in zip(segments, fits, strict=True):
            assert segment.meets(other) is bool(fit & also), (segment.tokens, other.tokens)


def test_characters_no_pattern_names_are_found_as_witnesses() -> None:
    assert meets(one("[!a]"), [], one("[!b]"), [one("[c-z]"), one("[0-9]")])
    assert not meets(one("[a-e]"), [one("[a-c]")], one("[a-e]"), [one("[d-f]")])
    assert meets(one("[a-e]"), [one("[a-c]")], one("[a-f]"), [one("[e-f]")])
    assert meets(one("[a-c]"), [one("a")], one("?"), [one("c")])
    assert not meets(one("[a-c]"), [one("a"), one("[bc]")], one("?"), [])
    assert not overlaps(one("[!a-y]"), one("[b-y]"))
    assert overlaps(one("[!a-y]"), one("[b-z]"))


def test_patterns_at_or_below_a_literal_are_left_out_as_covered() -> None:
    texts = ["a", "a/", "a/b", "a/*.py", "ab", "*", "b/**"]
    assert [p.text for p in without_covered(one(text) for text in texts)] == ["*", "a", "ab", "b/**"]


def test_no_segment_is_empty() -> None:
    assert not one("*").matches("")
    assert not one("**").matches("")
    assert not one("a/*").matches("a/")
    assert not meets(one("a/*"), [one("a/?*")], one("a/*"), [])


def test_a_literal_exception_that_covers_a_side_leaves_nothing() -> None:
    assert not meets(one("src/a"), [], one("src/**/*.py"), [one("src")])
    assert not meets(one("src/a"), [one("src/a")], one("src/a"), [])
    assert not meets(one("src/a/"), [one("src/a/")], one("src"), [])
    assert meets(one("src/a"), [one("src/a/")], one("src"), [])


HOSTILE = [
    "*a" * 511 + "*",
    "*" + "?" * 1000 + "*",
    "/".join(["**", "*a*b*a*"] * 32),
    "/".join(["*a*b*c*a*b*c*x"] * 64),
    "/".join(["**", "a"] * 32),
    "**/" * 60 + "a",
    "*" * 1000,
    "a/" * 63 + "*",
    "**/" + "*a" * 400 + "/**/b",
    "?" * 1024,
]


@pytest.mark.parametrize("a", HOSTILE, ids=lambda text: text[:12])
def test_hostile_patterns_are_decided(a: str) -> None:
    for b in HOSTILE:
        first, second = one(a, syntax=Syntax.PATH), one(b, syntax=Syntax.PATH)
        assert overlaps(first, second) is overlaps(second, first)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_hostile_patterns_match_without_catastrophe(text: str) -> None:
    pattern = one(text, syntax=Syntax.PATH)
    for path in ("a" * 1000 + "b", "/".join(["aab"] * 60) + "/c", "ab" * 500, "/".join("ab" * 32)):
        literal = one(path, syntax=Syntax.PATH)
        assert (pattern.shape.meeter.match(path) is not None) is overlaps(pattern, literal)
        assert overlaps(pattern, literal) or not pattern.matches(path)
    assert pattern.matches("/".join("ab" * 2000) + "/c") in (True, False)  # ends, that is


def test_past_its_budget_a_meeting_is_assumed_and_containment_is_not() -> None:
    inside, outside = [one("a/*"), one("a/*/**")], one("a/**/b")
    assert not meets(one("a/**"), inside, outside, [])
    assert meets(one("a/**"), inside, outside, [], budget=1)
    assert contains(one("[ab]*"), one("a*"))
    assert not contains(one("[ab]*"), one("a*"), budget=0)


def test_a_subset_automaton_too_large_to_explore_ends_at_the_budget() -> None:
    # "The n-th character from the end is a" needs 2**n states, and here all of them before the answer, no.
    ends = "?" * 40
    a, out = one("*a" + ends), [one("*[!b]" + ends)]
    assert meets(a, out, one("*"), [])
    assert not contains(one("*[!b]" + ends), a)

"""Hypothesis strategies and settings the engine's tests share."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from coordination.engine.decide import Standing, Wanted
from coordination.engine.ground import Ground
from coordination.engine.modes import Mode, Urgency
from coordination.engine.patterns import Pattern, Syntax, parse
from coordination.engine.queue import Entry


def examples(count: int) -> settings:
    """Reproducible and without clocks: neither deadlines nor the health check that times generation."""
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def one(text: str, *, syntax: Syntax = Syntax.SCOPE, fold: bool = False) -> Pattern:
    """The only pattern `text` stands for; with `file:` before it, that file alone."""
    (pattern,) = parse(text.removeprefix("file:"), syntax=syntax, fold=fold, exact=text.startswith("file:"))
    return pattern


_LETTER = st.sampled_from("ab")
_PIECE = st.sampled_from(["a", "b", "a", "b", "*", "?", "[ab]", "[!a]", "[^b]", "[a-b]"])

names = st.one_of(
    st.text("ab", min_size=1, max_size=2),
    st.lists(_PIECE, min_size=1, max_size=3).map("".join),
    st.just("**"),
    st.just("*"),
)
literal_paths = st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=4).map("/".join)
_globs = st.builds(
    lambda parts, end: "/".join(parts) + end,
    st.lists(names, min_size=1, max_size=4),
    st.sampled_from(["", "", "", "/", "/**"]),
)
file_texts = literal_paths.map(lambda path: "file:" + path)
# Patterns over `a` and `b` without braces: one Pattern each.
simple_texts = st.one_of(literal_paths, literal_paths.map(lambda path: path + "/"), file_texts, _globs)
# And with braces.
brace_texts = st.builds(
    lambda before, choices, after: before + "{" + ",".join(choices) + "}" + after,
    st.sampled_from(["", "a", "a/", "*/", "**/", "{a,b}/"]),
    st.lists(st.sampled_from(["a", "b", "ab", "*", "?", "a/b", "[!a]", "{a,b}", "**"]), min_size=1, max_size=3),
    st.sampled_from(["", "b", "/b", "/", "/**", "*"]),
)

modes = st.sampled_from(Mode)
# One draw a pattern, where what counts is how many grounds play together: every row of one or two of these
# names.
_NAMES = ["a", "b", "ab", "*", "a*", "?", "[!a]", "**"]
_ROWS = ["/".join(row) for size in (1, 2) for row in itertools.product(_NAMES, repeat=size)]
_FILES = ["file:" + row for row in _ROWS if not set(row) & set("*?[")]
_patterns = st.sampled_from([one(text) for text in [*(row + end for row in _ROWS for end in ("", "/")), *_FILES]])
grounds = st.builds(
    Ground,
    root=st.sampled_from("rrrs"),
    pattern=_patterns,
    excepts=st.one_of(st.just(()), st.lists(_patterns, max_size=2).map(tuple)),
)
ground_rows = st.lists(grounds, min_size=1, max_size=3).map(
    lambda row: tuple(Ground(g.root, g.pattern, g.excepts, scope) for scope, g in enumerate(row))
)
wanteds = st.builds(Wanted, st.sampled_from(["h0", "h1", "h2"]), modes, ground_rows)


@st.composite
def standings(draw: st.DrawFn, most: int = 6) -> list[Standing]:
    """Standings with ids of their own."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(["h0", "h1", "h2", "h3"]), modes, ground_rows, st.booleans()),
            max_size=most,
        )
    )
    return [
        Standing(f"c{at}", "queue_entry" if waits else "claim", holder, mode, row)
        for at, (holder, mode, row, waits) in enumerate(rows)
    ]


@st.composite
def queues(draw: st.DrawFn, most: int = 7) -> list[Entry]:
    """Entries with ids and arrivals of their own, in any order."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["h0", "h1", "h2", "h3", "h4"]),
                modes,
                ground_rows,
                st.sampled_from(Urgency),
                st.sampled_from([0.0, 30.0, 59.9, 60.0, 125.0, 400.0]),
            ),
            max_size=most,
        )
    )
    entries = [
        Entry(f"e{at}", holder, mode, row, urgency, at, waited)
        for at, (holder, mode, row, urgency, waited) in enumerate(rows)
    ]
    return draw(st.permutations(entries))

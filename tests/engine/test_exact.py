"""A single file as ground (`file:`): that path and nothing below it, in the name space and case rule of paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.decide import Standing, Wanted, decide
from coordination.engine.ground import Ground, in_words, read, written
from coordination.engine.index import GroundIndex
from coordination.engine.modes import Mode
from coordination.engine.overlap import contains, covers_path, meets, overlaps
from coordination.engine.patterns import PatternError, Syntax, escaped, parse

from .reference import slow_meets
from .strategies import examples, file_texts, literal_paths, one, simple_texts

PAIRS = [
    ("README.md", True),
    ("*.md", True),
    ("**", True),
    ("file:README.md", True),
    ("**/README.md", True),
    ("**/*.py", False),
    ("README.md/", False),
    ("README.md/**", False),
    ("README.md/x", False),
    ("file:README.md/x", False),
    ("file:README", False),
    ("docs/README.md", False),
    ("*/README.md", False),
    ("file:readme.md", False),
]


@pytest.mark.invariant("INV-28")
@pytest.mark.parametrize(("other", "expected"), PAIRS)
def test_a_file_meets_what_covers_that_very_file(other: str, expected: bool) -> None:
    file = one("file:README.md")
    assert overlaps(file, one(other)) is expected
    assert overlaps(one(other), file) is expected


@pytest.mark.invariant("INV-28")
@examples(400)
@given(file_texts, simple_texts)
def test_a_file_meets_a_pattern_exactly_when_the_pattern_covers_it(file: str, text: str) -> None:
    expected = slow_meets([file, text])
    assert one(text).matches(file.removeprefix("file:")) is expected
    assert overlaps(one(file), one(text)) is expected
    assert contains(one(text), one(file)) is expected


@examples(200)
@given(file_texts, st.lists(simple_texts, max_size=3), simple_texts, st.lists(simple_texts, max_size=3))
def test_files_and_exceptions_meet_as_an_explicit_automaton_finds(
    a: str, a_except: list[str], b: str, b_except: list[str]
) -> None:
    found = meets(one(a), [one(e) for e in a_except], one(b), [one(e) for e in b_except])
    assert found is slow_meets([a, b], [*a_except, *b_except])
    taken_out = meets(one(b), [one(a), *(one(e) for e in b_except)], one(b), [])
    assert taken_out is slow_meets([b], [a, *b_except])


def test_what_lies_below_stays_when_a_file_is_taken_out() -> None:
    assert not meets(one("a"), [one("file:a")], one("file:a"), [])
    assert meets(one("a"), [one("file:a")], one("a/b"), [])
    assert not meets(one("file:a"), [one("a")], one("**"), [])
    assert meets(one("file:a"), [one("a/")], one("**"), [])


_CASED = st.text(st.sampled_from("aAbB\u00e9\u00c9"), min_size=1, max_size=3)
_CASED_PATH = st.lists(_CASED, min_size=1, max_size=3).map("/".join)
_CASED_GLOB = st.lists(_CASED | st.sampled_from(["*", "?", "**", "[AB]", "*A"]), min_size=1, max_size=3).map("/".join)


@examples(200)
@given(_CASED_PATH, _CASED_PATH | _CASED_GLOB | _CASED_PATH.map("file:".__add__))
def test_a_file_meets_without_case_what_it_meets_in_lower_case(path: str, other: str) -> None:
    folded = overlaps(one(f"file:{path}", fold=True), one(other, fold=True))
    assert folded is overlaps(one(f"file:{path.lower()}"), one(other.lower()))


@pytest.mark.parametrize(
    ("text", "syntax", "rule"),
    [
        ("*.md", Syntax.PATH, "exact_wildcard"),
        ("a/**", Syntax.PATH, "exact_wildcard"),
        ("a?", Syntax.PATH, "exact_wildcard"),
        ("a/", Syntax.PATH, "exact_directory"),
        ("a/", Syntax.SCOPE, "exact_directory"),
        ("[ab]", Syntax.SCOPE, "exact_wildcard"),
        ("{a,b}", Syntax.SCOPE, "exact_wildcard"),
        ("{a}", Syntax.SCOPE, "exact_wildcard"),
        (r"a\\*", Syntax.SCOPE, "exact_wildcard"),
        ("a}", Syntax.SCOPE, "bad_brace"),
        ("/a", Syntax.PATH, "absolute"),
        ("../a", Syntax.PATH, "dot_segment"),
    ],
)
def test_a_file_is_written_without_wildcards_and_without_a_slash_at_the_end(
    text: str, syntax: Syntax, rule: str
) -> None:
    with pytest.raises(PatternError) as refusal:
        parse(text, syntax=syntax, exact=True)
    assert (refusal.value.rule, refusal.value.pattern) == (rule, text)


def test_brackets_in_a_path_are_a_file_of_that_name() -> None:
    (literal,) = parse("app/[id]/{x}.tsx", syntax=Syntax.PATH, exact=True)
    (scope,) = parse(r"app/\[id\]/\{x\}.tsx", syntax=Syntax.SCOPE, exact=True)
    assert literal.prefix == scope.prefix == "app/[id]/{x}.tsx"
    assert overlaps(literal, scope)


@examples(200)
@given(st.text(st.sampled_from("ab.*?[]{},!^-\\\u00e9"), min_size=1, max_size=8).filter(lambda t: t not in (".", "..")))
def test_any_name_can_be_said_as_a_file_once_it_is_escaped(path: str) -> None:
    (file,) = parse(escaped(path), syntax=Syntax.SCOPE, exact=True)
    assert file.prefix == path
    assert file.matches(path)
    assert not file.matches(f"{path}/below")
    assert not file.matches(f"x{path}")


@examples(200)
@given(simple_texts | st.sampled_from(["file:a", "path:a", "odd:name", "a:b/c", "*:x"]), st.booleans())
def test_an_exception_is_read_as_it_was_written(text: str, fold: bool) -> None:
    file = one(text, fold=fold)
    named = parse(text, syntax=Syntax.SCOPE, fold=fold)[0]  # the same text as a plain path, colon and all
    assert read(written(file), fold=fold) == (file,)
    assert read(written(named), fold=fold) == (named,)
    assert written(file) != written(named) or file == named


def test_an_exception_is_told_in_the_words_of_its_scope() -> None:
    assert in_words("", written(one("file:a"))) == "file:a"
    assert in_words("path:", written(one("a"))) == "a"
    assert in_words("", written(parse("odd:name", syntax=Syntax.SCOPE)[0])) == "path:odd:name"
    assert in_words("task:", written(parse("KEY:1", syntax=Syntax.SCOPE)[0])) == "task:KEY:1"


def _ground(text: str, *excepts: str) -> Ground:
    return Ground("r", one(text), tuple(one(e) for e in excepts))


@pytest.mark.parametrize(
    "text", ["**/*.py", "*/a?.py", "d1*/**", "**", "d1", "d1/a1.py", "file:d1/a1.py", "file:d1", "d?/", "[d]1/a1.py"]
)
@pytest.mark.parametrize("excepts", [(), ("file:d1/a1.py",), tuple(f"file:d2/a{i}.py" for i in range(20))])
def test_ground_against_many_files_meets_those_it_covers(text: str, excepts: tuple[str, ...]) -> None:
    files = [f"d{i % 20}/a{i}.py" for i in range(300)] + ["d1"]
    index: GroundIndex[str] = GroundIndex()
    for path in files:
        index.add(_ground(f"file:{path}"), path)
    asked = _ground(text, *excepts)
    expected = [path for path in files if covers_path(asked.pattern, asked.excepts, path)]
    assert sorted(path for _, path in index.meeting(asked)) == sorted(expected)


def test_what_is_left_beside_a_held_file_excludes_that_file_only() -> None:
    held = Standing("c1", "claim", "other", Mode.EXCLUSIVE, (_ground("file:src/a"),))
    (left,) = decide(Wanted("me", Mode.EXCLUSIVE, (_ground("src"),)), [held]).free
    assert [written(p) for p in left.excepts] == ["file:src/a"]
    assert not covers_path(left.pattern, left.excepts, "src/a")
    assert covers_path(left.pattern, left.excepts, "src/a/b")


@examples(60)
@given(st.lists(file_texts, min_size=1, max_size=4, unique=True), literal_paths)
def test_different_files_never_stand_in_each_others_way(texts: list[str], path: str) -> None:
    wanted = Wanted("me", Mode.EXCLUSIVE, (_ground(f"file:{path}"),))
    held = [Standing(text, "claim", "other", Mode.EXCLUSIVE, (_ground(text),)) for text in texts]
    assert [c.standing.id for c in decide(wanted, held).conflicts] == [t for t in texts if t == f"file:{path}"]

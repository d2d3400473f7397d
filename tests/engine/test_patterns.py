"""The pattern grammar: normal form, refusals by rule, folding, prefixes."""

import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.charset import CharSet, charset, fold_text
from coordination.engine.overlap import overlaps
from coordination.engine.patterns import PatternError, Syntax, ancestors, normal_path, parse

from .strategies import brace_texts, examples, one, simple_texts

PATH, SCOPE = Syntax.PATH, Syntax.SCOPE

REFUSED = [
    ("", PATH, "empty"),
    ("  ", PATH, "empty"),
    ("./", PATH, "empty"),
    ("/", PATH, "absolute"),
    ("/etc/passwd", PATH, "absolute"),
    (".//a", PATH, "absolute"),
    ("././a", PATH, "dot_segment"),
    (".", PATH, "dot_segment"),
    ("a/./b", PATH, "dot_segment"),
    ("../../etc/passwd", PATH, "dot_segment"),
    ("a/..", PATH, "dot_segment"),
    ("../", PATH, "dot_segment"),
    ("a//b", PATH, "empty_segment"),
    ("a//", PATH, "empty_segment"),
    ("a\0b", PATH, "control_character"),
    ("a\nb", PATH, "control_character"),
    ("a\x7fb", PATH, "control_character"),
    ("a\x85b", PATH, "control_character"),
    ("a\ud800b", PATH, "control_character"),
    ("a" * 1025, PATH, "too_long"),
    ("/".join("a" * 65), PATH, "too_many_segments"),
    ("**/" * 64 + "a", PATH, "too_many_segments"),
    ("src\\auth", PATH, "backslash"),
    ("src\\auth", SCOPE, "bad_escape"),
    ("a\\", SCOPE, "bad_escape"),
    ("a\\/b", SCOPE, "bad_escape"),
    ("\\./a", SCOPE, "bad_escape"),
    ("[abc", SCOPE, "bad_class"),
    ("[]", SCOPE, "bad_class"),
    ("[!]", SCOPE, "bad_class"),
    ("[z-a]", SCOPE, "bad_class"),
    ("[a/b]", SCOPE, "bad_class"),
    ("[\\q]", SCOPE, "bad_escape"),
    ("{a,b", SCOPE, "bad_brace"),
    ("a,b}", SCOPE, "bad_brace"),
    ("{" * 17 + "a" + "}" * 17, SCOPE, "bad_brace"),
    ("{" * 500, SCOPE, "bad_brace"),
    ("{a,b}" * 7, SCOPE, "too_many_alternatives"),
    ("{a,b}" * 200, SCOPE, "too_many_alternatives"),
    ("{" + "a," * 64 + "b}", SCOPE, "too_many_alternatives"),
    ("{,a}", SCOPE, "empty"),
    ("{.,a}./b", SCOPE, "dot_segment"),
    ("{/a,b}", SCOPE, "absolute"),
    ("a/{,b}/c", SCOPE, "empty_segment"),
    ("{./a,b}", SCOPE, "dot_segment"),
]


@pytest.mark.parametrize(("text", "syntax", "rule"), REFUSED, ids=lambda v: ascii(v)[:20])
def test_a_pattern_outside_the_grammar_is_refused_by_its_rule(text: str, syntax: Syntax, rule: str) -> None:
    with pytest.raises(PatternError) as refusal:
        parse(text, syntax=syntax)
    assert refusal.value.rule == rule
    assert refusal.value.pattern == text
    assert refusal.value.detail
    copy = pickle.loads(pickle.dumps(refusal.value))
    assert (copy.rule, copy.detail, copy.pattern) == (rule, refusal.value.detail, text)


@examples(500)
@given(
    st.text(st.sampled_from("ab/.*?[]{},\\!^- \0é"), max_size=12) | st.text(max_size=8),
    st.sampled_from(Syntax),
)
def test_any_text_is_parsed_or_refused(text: str, syntax: Syntax) -> None:
    try:
        patterns = parse(text, syntax=syntax)
    except PatternError as refusal:
        assert refusal.rule.isidentifier()
        return
    for pattern in patterns:
        # The normal form parses to itself.
        assert parse(pattern.text, syntax=syntax) == (pattern,)
        assert unicodedata.is_normalized("NFC", pattern.text)
        assert pattern.matches(pattern.prefix) is pattern.literal
        assert overlaps(pattern, pattern)


@examples(80)
@given(simple_texts | brace_texts, st.booleans())
def test_the_normal_form_parses_to_itself_and_alternatives_are_all_different(text: str, fold: bool) -> None:
    patterns = parse(text, syntax=SCOPE, fold=fold)
    assert len(set(patterns)) == len(patterns) <= 64
    for pattern in patterns:
        assert parse(pattern.text, syntax=SCOPE, fold=fold) == (pattern,)


@pytest.mark.parametrize(
    ("text", "prefix", "literal"),
    [
        ("src/auth/**/x.py", "src/auth", False),
        ("src/auth/login.py", "src/auth/login.py", True),
        ("src/auth/", "src/auth", False),
        ("src/auth/**", "src/auth", False),
        ("src/*.py", "src", False),
        ("**/x", "", False),
        ("*.py", "", False),
        ("**", "", False),
        ("./src/a", "src/a", True),
        ("app/[id]/page.tsx", "app/[id]/page.tsx", True),
        ("a{b,c}", "a{b,c}", True),
        ("a/b?/c", "a", False),
    ],
)
def test_the_prefix_is_the_leading_literal_path(text: str, prefix: str, literal: bool) -> None:
    pattern = one(text, syntax=PATH)
    assert (pattern.prefix, pattern.literal) == (prefix, literal)


def test_escapes_take_the_meaning_away() -> None:
    pattern = one(r"a\*\?\[\]\{\}\,\\\!\^\-/b")
    assert pattern.literal
    assert pattern.prefix == r"a*?[]{},\!^-/b"
    assert pattern.matches(r"a*?[]{},\!^-/b/below")
    assert one(r"\**").matches("*x")
    assert not one(r"\**").matches("x")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[a-c]", "abc", "d-A"),
        ("[!a-c]", "d-", "abc"),
        ("[^a-c]", "d-", "abc"),
        ("[-a]", "-a", "b"),
        ("[a-]", "-a", "b"),
        (r"[a\-c]", "a-c", "b"),
        (r"[\]\\]", "]\\", "a"),
        (r"[\!a]", "!a", "b"),
        ("[+-9]", "+.059", "a"),
        ("[{,}]", "{,}", "a"),
        ("[ab-dx]", "abcdx", "e"),
    ],
)
def test_a_class_holds_its_members(text: str, inside: str, outside: str) -> None:
    pattern = one(f"x{text}y")
    assert [c for c in inside + outside if pattern.matches(f"x{c}y")] == list(inside)
    assert not pattern.matches("x/y")


def test_braces_expand_across_segments_and_nest() -> None:
    assert [p.text for p in parse("src/{a,b/{c,d}}/x", syntax=SCOPE)] == ["src/a/x", "src/b/c/x", "src/b/d/x"]
    assert [p.text for p in parse("a{,b}", syntax=SCOPE)] == ["a", "ab"]
    assert [p.text for p in parse("{a,a}{b}", syntax=SCOPE)] == ["ab"]
    assert [p.text for p in parse(r"\{a,b\}", syntax=SCOPE)] == [r"\{a,b\}"]
    assert len(parse("{a,b}" * 6, syntax=SCOPE)) == 64
    # A mark after the brace composes with each alternative.
    assert [p.text for p in parse("{e,a,\u00e9}\u0301", syntax=SCOPE)] == ["\u00e9", "\u00e1", "\u00e9\u0301"]


def test_limits_are_what_the_grammar_says() -> None:
    assert one("a" * 1024, syntax=PATH).literal
    assert one("/".join("a" * 64) + "/", syntax=PATH).prefix.count("/") == 63
    # NFC comes before counting: 1,024 characters of two code points each.
    assert one("e\u0301" * 1024, syntax=PATH).text == "\u00e9" * 1024


def test_text_is_compared_in_composed_form() -> None:
    assert one("cafe\u0301", syntax=PATH) == one("caf\u00e9", syntax=PATH)
    assert one("caf?", syntax=PATH).matches("cafe\u0301")
    assert one("caf\u00e9", syntax=PATH).matches("cafe\u0301/menu")


def test_the_same_text_in_another_syntax_or_fold_is_another_pattern() -> None:
    assert one("*[b]", syntax=PATH) != one("*[b]", syntax=SCOPE)
    assert one("*B", fold=True) != one("*B")


def test_folding_compares_without_case_and_keeps_the_text() -> None:
    literal, glob = one("SRC/Auth.PY", fold=True), one("src/*.Py", fold=True)
    assert literal.text == "SRC/Auth.PY"
    assert literal.prefix == "src/auth.py"
    assert overlaps(literal, glob)
    assert glob.matches("Src/AUTH.pY")
    assert not overlaps(one("SRC/Auth.PY"), one("src/*.py"))


def test_a_fold_that_composes_is_compared_composed() -> None:
    # There is no composed capital J with caron, but there is a small one.
    assert fold_text("J\u030c") == "\u01f0"
    assert one("J\u030c?", fold=True).matches("\u01f0x")


def test_folding_is_one_to_one() -> None:
    # A fold that would lengthen the name is left alone, so that ? still stands for one character.
    assert not one("stra\u00dfe", fold=True).matches("strasse")
    assert one("stra?e", fold=True).matches("STRA\u00dfE")
    assert one("\u03a3\u03c2", fold=True).matches("\u03c3\u03c3")


@examples(150)
@given(st.text(max_size=12))
def test_folding_twice_is_folding_once(text: str) -> None:
    folded = normal_path(text, fold=True)
    assert normal_path(folded, fold=True) == folded


def test_folding_twice_is_folding_once_for_every_character_and_composition() -> None:
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        char = unicodedata.normalize("NFC", chr(code))
        folded = fold_text(char)
        assert fold_text(folded) == folded, hex(code)
        parts = unicodedata.normalize("NFD", chr(code))
        if len(parts) > 1:
            swapped = unicodedata.normalize("NFC", parts.swapcase())
            assert fold_text(fold_text(swapped)) == fold_text(swapped), hex(code)


_RANGES = st.lists(
    st.tuples(st.integers(0x20, 0x250), st.integers(0, 60)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    min_size=1,
    max_size=4,
)


def _members(ranges: list[tuple[int, int]]) -> set[str]:
    return {chr(code) for low, high in ranges for code in range(low, high + 1)} - {"/"}


@examples(80)
@given(_RANGES, st.booleans())
def test_a_class_is_the_set_of_its_ranges(ranges: list[tuple[int, int]], negated: bool) -> None:
    made = charset(ranges, negated=negated)
    everything = {chr(code) for code in range(0x20, 0x300)} - {"/"}
    expected = everything - _members(ranges) if negated else _members(ranges)
    assert {char for char in everything | {"/"} if char in made} == expected


@examples(80)
@given(_RANGES, _RANGES)
def test_classes_meet_when_they_share_a_character(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    assert charset(a).meets(charset(b)) is bool(_members(a) & _members(b))


@examples(80)
@given(_RANGES, st.booleans())
def test_a_folded_class_takes_a_character_when_its_fold_is_a_members_fold(
    ranges: list[tuple[int, int]], negated: bool
) -> None:
    made: CharSet = charset(ranges, negated=negated, fold=True)
    folds = {fold_text(char) for char in _members(ranges)}
    for code in range(0x20, 0x300):
        char = chr(code)
        folded = fold_text(char)
        if char != "/" and unicodedata.is_normalized("NFC", char) and len(folded) == 1:
            assert (folded in made) is ((folded in folds) is not negated), hex(code)
            assert folded == char or char not in made


def test_folded_classes_and_literals_agree() -> None:
    assert one("[A-C]x", fold=True).matches("bX")
    assert not overlaps(one("[!a]", fold=True), one("A", fold=True))
    assert not overlaps(one("[!a]", fold=True), one("[A]", fold=True))
    assert overlaps(one("[!a]", fold=True), one("[!A]", fold=True))


def test_no_character_has_case_beyond_those_the_fold_table_looks_at() -> None:
    assert all(chr(code).casefold() == chr(code) for code in range(0x20000, 0x110000))


_CASED = st.text(st.sampled_from("aAbB\u00e9\u00c9"), min_size=1, max_size=3)
_CASED_GLOB = st.lists(_CASED | st.sampled_from(["*", "?", "**", "[AB]", "*A", "B*"]), min_size=1, max_size=3)


@examples(150)
@given(st.lists(_CASED, min_size=1, max_size=3), _CASED_GLOB)
def test_a_literal_meets_a_glob_without_case_as_both_do_in_lower_case(literal: list[str], glob: list[str]) -> None:
    a, b = "/".join(literal), "/".join(glob)
    assert overlaps(one(a, fold=True), one(b, fold=True)) is overlaps(one(a.lower()), one(b.lower()))


def test_ancestors_are_the_directories_above_shallow_first() -> None:
    assert ancestors("") == ()
    assert ancestors("a") == ("",)
    assert ancestors("a/b/c") == ("", "a", "a/b")

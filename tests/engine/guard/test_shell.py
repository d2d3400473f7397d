"""Commands as agents write them, with what they write; and what holds for any command at all."""

import shlex
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.guard.scope import MAX_TOUCHES
from coordination.engine.guard.shell import read_argv, read_command, read_powershell
from coordination.engine.guard.types import Reading, Touch
from tests.engine.strategies import examples

from .cases import Case, cases, reading

_COMMANDS, _POWERSHELL = cases("commands"), cases("powershell")

# A path as a tool may name it: no NUL, nothing that is no file, not in the home folder, no end of a line at its end.
_NAMES = st.text(st.characters(exclude_characters="\0\1\2\3\4/", exclude_categories=["Cs"]), min_size=1, max_size=8)
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join).filter(lambda path: path not in ("-", ".", ".."))

Template = tuple[str, Callable[[str], list[Touch]]]


def _writes(path: str) -> list[Touch]:
    return [Touch(path, "write")]


def _deletes(path: str) -> list[Touch]:
    return [Touch(path, "delete")]


_TEMPLATES: list[Template] = [
    ("echo x > {}", _writes),
    ("echo x >>{}", _writes),
    ("cat <<'EOF' > {}\nit's\nEOF\n", _writes),
    ("make 2>&1 | tee -a -- {}", _writes),
    ("sed -i 's/a/b/' -- {}", _writes),
    ("rm -f -- {}", _deletes),
    ("sudo -u me rm -- {}", _deletes),
    ("if true; then touch -- {}; fi", _writes),
    ('for f in {}; do touch -- "$f"; done', _writes),
    ('F={}; touch -- "$F"', _writes),
    ("X=$(touch -- {})", _writes),
    ("(touch -- {})", _writes),
    ("{{ touch -- {}; }} &", _writes),
    ("true || touch -- {}", _writes),
    ("timeout 5 touch -- {}", _writes),
    ("cp -- a {}", _writes),
]


@pytest.mark.parametrize("case", _COMMANDS, ids=[case["command"][:60] for case in _COMMANDS])
def test_a_command_is_read_as_what_it_does(case: Case) -> None:
    assert read_command(case["command"], "/repo") == reading(case)


@pytest.mark.parametrize("case", _POWERSHELL, ids=[case["command"][:60] for case in _POWERSHELL])
def test_a_powershell_command_is_read_as_what_it_does(case: Case) -> None:
    assert read_powershell(case["command"], "C:/repo") == reading(case)


def test_the_corpus_is_wide_enough() -> None:
    assert len({case["command"] for case in _COMMANDS}) >= 300
    assert sum("dangers" in case for case in _COMMANDS) >= 50
    assert sum(case.keys() == {"command"} for case in _COMMANDS) >= 40
    assert sum("opaque" in case for case in _COMMANDS) >= 50


@examples(300)
@given(st.sampled_from(_TEMPLATES), _PATHS)
def test_a_quoted_path_comes_back_as_it_was(template: Template, path: str) -> None:
    text, expected = template
    quoted = shlex.quote(path)
    if path.startswith("~"):
        # In quotes it is a folder of that name, which is told apart from the home folder by where it lies.
        path = f"./{path}"
    if template[0].startswith("cp") and path.endswith("/"):
        return
    assert read_command(text.format(quoted), "/repo") == Reading(tuple(expected(path)))


@examples(150)
@given(_PATHS)
def test_words_without_a_shell_are_taken_as_they_are(path: str) -> None:
    if not path.startswith("~"):
        assert read_argv(["rm", "--", path], "/repo") == Reading((Touch(path, "delete"),))


_BITS = st.sampled_from(
    [
        *("'", '"', "`", "$(", ")", "(", "{", "}", "<<EOF\n", "\nEOF\n", ";", "&&", "||", "|", "&", ">", ">>", "2>&1"),
        *("<", "$", "${a", "${a}", "\\", "\n", "#", "[[", "]]", "((", "))", "if", "then", "fi", "for a in b", "do"),
        *(
            "done",
            "case a in",
            "esac",
            ";;",
            "*",
            "~",
            "rm",
            "git",
            "checkout",
            "--",
            "sed -i",
            "cd",
            "a b",
            "=",
            "a=(",
        ),
        *("bash -c", "eval", "xargs", "\t", "\0", "é", "\ud800", "@'", "{a,b}", "{1..9}", "$'", "-c", "stash"),
        *("find . -exec", "apply_patch", "python -c"),
    ]
)


@examples(600)
@given(st.lists(_BITS | st.text(max_size=4), max_size=14), st.sampled_from(["", " "]))
def test_no_text_makes_the_readers_fail_and_each_reads_alike_twice(bits: list[str], glue: str) -> None:
    text = glue.join(bits)
    for reader in (read_command, read_powershell):
        first = reader(text, "/repo")
        assert reader(text, "/repo") == first
        assert not any("\0" in touch.path for touch in first.touches)
        assert not any("\0" in path for danger in first.dangers for path in danger.paths)


@examples(200)
@given(st.lists(_BITS, max_size=6))
def test_no_list_of_words_makes_the_reader_fail(bits: list[str]) -> None:
    for name in ("git", "sed", "find", "xargs", "env", "sudo", "npx", "bash", "perl", "tar", "pwsh"):
        read_argv([name, *bits], "/repo")


_HOSTILE = [
    *("$(" * 5000, "(" * 5000, "{ " * 5000, "`" * 5001, '"$(' * 3000, "${a:-$(" * 2000, "if " * 5000, "<<E " * 3000),
    *("a | " * 5000 + "a", "{" * 20000 + "}" * 20000, "{a," * 5000, "[[ " * 5000, "$((" * 5000, "a=(" * 5000),
    *(
        "case " * 5000,
        "for a in {1..60}; do " * 20 + "x=1" + "; done" * 20,
        "$((a) " * 20000,
        "@'\n" * 9999,
        "echo {1..99}{1..99}{1..99} > f",
        "\\" * 9999,
    ),
    *("#" * 99999, "eval 'eval " * 2000, "sudo " * 5000 + "rm x", "@'" * 9999, "<#" * 9999, "echo " + "'a' " * 30000),
]


@pytest.mark.parametrize("text", _HOSTILE, ids=lambda text: text[:12])
def test_a_hostile_command_costs_no_more_than_it_is_long(text: str) -> None:
    # No time is looked at: what is not linear would not come to an end.
    for reader in (read_command, read_powershell):
        reading = reader(text, "/repo")
        assert len(reading.touches) <= MAX_TOUCHES


def test_a_command_that_names_more_than_can_be_kept_is_opaque() -> None:
    reading = read_command("rm " + " ".join(f"f{number}" for number in range(1000)), "/repo")
    assert len(reading.touches) == MAX_TOUCHES
    assert reading.opaque


def test_a_command_that_starts_elsewhere_has_its_paths_seen_from_the_call() -> None:
    assert read_command("touch a ../b /c", "/repo", "sub") == Reading(
        (Touch("sub/a", "write"), Touch("b", "write"), Touch("/c", "write"))
    )


def test_what_is_written_to_a_scratch_folder_under_an_unknown_name_is_nobodys_business() -> None:
    assert not read_command("make > /tmp/log.$$", "/repo").opaque
    # Where the checkout itself lies there, it may be somebody's.
    assert read_command("make > /tmp/log.$$", "/tmp/repo").opaque

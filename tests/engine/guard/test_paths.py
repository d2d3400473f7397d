"""From a path as it was written to one of the repository."""

import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.guard.paths import is_exempt, is_probe, relative, settle
from coordination.engine.guard.types import Danger, Event, ToolUse, Touch
from tests.engine.strategies import examples


@pytest.mark.parametrize(
    ("cwd", "path", "expected"),
    [
        ("/r", "a.py", "a.py"),
        ("/r/src", "a.py", "src/a.py"),
        ("/r/src", "../a.py", "a.py"),
        ("/r/src", "./x/../y", "src/y"),
        ("/elsewhere", "/r/a b.py", "a b.py"),
        ("/elsewhere", "a.py", None),
        ("/r", "../r/a.py", "a.py"),
        ("/r", "/r", "."),
        ("/r", ".", "."),
        ("/r", "dir/", "dir"),
        ("/r", "/rest/a.py", None),
        ("/r", "../a.py", None),
        ("/r", "/../r/a", "a"),
        ("/r", "//r//a", "a"),
        ("/r", "", None),
        ("/r", "~/a", None),
        ("/r", "a\0b", None),
        ("", "a", None),
        ("/r", "A.py", "A.py"),
        ("/r", "a\\b", "a\\b"),
    ],
)
def test_a_path_is_placed_below_the_root_or_not_at_all(cwd: str, path: str, expected: str | None) -> None:
    assert relative("/r", cwd, path) == expected
    assert relative("/r/", cwd, path) == expected


@pytest.mark.parametrize(
    ("cwd", "path", "expected"),
    [
        ("C:\\r\\src", "a.py", "src/a.py"),
        ("C:\\r", "src\\a.py", "src/a.py"),
        ("D:\\x", "c:/R/Src/a.py", "Src/a.py"),
        ("/c/r/src", "../a.py", "a.py"),
        ("C:\\r", "/c/r/a.py", "a.py"),
        ("C:\\r", "\\r\\a.py", "a.py"),
        ("C:\\r", "\\\\?\\C:\\r\\a.py", "a.py"),
        ("C:\\r", "D:\\r\\a.py", None),
        ("C:\\r", "\\\\server\\r\\a.py", None),
        ("C:\\r", "C:\\rest\\a.py", None),
        ("", "a.py", None),
        ("C:\\r", "C:/r", "."),
    ],
)
def test_a_windows_path_is_placed_whatever_its_case_and_slashes(cwd: str, path: str, expected: str | None) -> None:
    assert relative("C:\\r", cwd, path, windows=True) == expected


def test_a_root_on_a_share_is_a_root() -> None:
    assert relative("\\\\server\\share\\r", "\\\\SERVER\\share\\r\\x", "a", windows=True) == "x/a"


_PARTS = st.lists(st.sampled_from(["a", "b", "..", ".", "r", "", "a b"]), max_size=6).map("/".join)


@examples(300)
@given(_PARTS, _PARTS, st.booleans())
def test_it_agrees_with_the_systems_own_reckoning(cwd: str, path: str, absolute: bool) -> None:
    cwd, path = f"/r/{cwd}", f"/{path}" if absolute else path
    placed = relative("/r", cwd, path)
    target = os.path.normpath(os.path.join(cwd, path))
    target = "/" + target.lstrip("/")
    if not path:
        assert placed is None
    elif target == "/r" or target.startswith("/r/"):
        assert placed == os.path.relpath(target, "/r")
    else:
        assert placed is None


def test_gits_own_files_and_ours_are_nobodys_ground_but_the_probe_is() -> None:
    assert is_exempt(".git/config")
    assert is_exempt(".git")
    assert is_exempt(".interlock/local.env")
    assert not is_exempt(".interlock/probe/abc")
    assert is_probe(".interlock/probe/abc")
    assert not is_probe(".interlock/probe/")
    assert not is_exempt(".gitignore")
    assert not is_exempt("src/.git/x")


def _use(touches: list[Touch], dangers: list[Danger], cwd: str = "/r/src") -> ToolUse:
    return ToolUse(Event.PRE_TOOL, "s", cwd, "Bash", tuple(touches), tuple(dangers))


def test_a_call_is_settled_to_what_it_does_in_this_checkout() -> None:
    use = _use(
        [Touch("a", "write"), Touch("/tmp/b", "write"), Touch("../c", "delete"), Touch("/r/src/a", "write")],
        [
            Danger("git restore", ("a", "../d"), "worktree"),
            Danger("git restore", ("/other/a",), "worktree"),
            Danger("git checkout", (), "head"),
            Danger("git switch", (), "head", "/other"),
            Danger("git reset --hard", (), "worktree", ".."),
        ],
    )
    assert settle("/r", use) == (
        (Touch("src/a", "write"), Touch("c", "delete")),
        (
            Danger("git restore", ("src/a", "d"), "worktree"),
            Danger("git checkout", (), "head"),
            Danger("git reset --hard", (), "worktree"),
        ),
    )


def test_a_danger_to_the_root_folder_is_one_to_the_whole_checkout() -> None:
    danger = Danger("git checkout", (".",), "worktree")
    assert settle("/r", _use([], [danger], cwd="/r"))[1] == (Danger("git checkout", (), "worktree"),)
    assert settle("/r", _use([], [danger]))[1] == (Danger("git checkout", ("src",), "worktree"),)


@pytest.mark.parametrize("path", ["/r", "..", "/", "/r/../"])
def test_doing_away_with_the_checkout_is_a_danger_to_all_of_it(path: str) -> None:
    assert settle("/r", _use([Touch(path, "delete")], [])) == ((), (Danger("rm", (), "worktree"),))
    assert settle("/r", _use([Touch(path, "write")], [])) == ((), ())

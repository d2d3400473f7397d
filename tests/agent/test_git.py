"""Reading git: every path without loss, every blob, and digests that live through what people do to history."""

import hashlib
import os
from pathlib import Path

import pytest

from mcp_gateway.agent import git
from mcp_gateway.agent.patches import GONE
from tests.agent.gitting import Repo, environment

ODD = [
    "plain.py",
    "with space.py",
    "tab\there.py",
    "new\nline.py",
    'quote".py',
    "back\\slash.py",
    "ümläut.py",
    ":colon.py",
    "a -> b",
    "diff --git a/x b/x",
    " leading",
    "deep/er/file",
    "\x01\x7f",
]
LINES = "".join(f"line {number}\n" for number in range(40))


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo.make(tmp_path / "app")
    repo.commit("First.", base="base\n")
    return repo


def by_path(changes: list[git.Change]) -> dict[str, git.Change]:
    found = {change.path: change for change in changes}
    assert len(found) == len(changes)
    return found


def digest(*lines: str) -> str:
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def changed(repo: Repo, a: str, b: str = "HEAD") -> dict[str, git.Change]:
    return by_path(git.range_changes(a, b, repo.path))


# --- what is staged -----------------------------------------------------------------------------------------


def test_every_name_a_file_can_have_is_read_as_it_is(repo: Repo) -> None:
    for name in ODD:
        repo.write(name, name)
    repo.git("add", "-A")
    found = by_path(git.staged(repo.path))
    assert set(found) == set(ODD)
    for name in ODD:
        assert found[name].patch == digest("+" + name.replace("\n", "\n+") + "\n"), name
    assert {name for name, _ in git.dirty(repo.path)} == set(ODD)
    head = repo.git("rev-parse", "HEAD")
    repo.commit()
    assert {path: change.patches for path, change in changed(repo, head).items()} == {
        name: (found[name].patch,) for name in ODD
    }


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_not_text_comes_back_as_the_same_bytes_and_is_known_not_to_be_sendable(repo: Repo) -> None:
    repo.write(b"caf\xe9.txt", "x")
    repo.git("add", "-A")
    [change] = git.staged(repo.path)
    assert change.path.encode("utf-8", "surrogateescape") == b"caf\xe9.txt"
    assert not git.sendable(change.path)
    assert [name for name in ODD if not git.sendable(name)] == ["tab\there.py", "new\nline.py", "\x01\x7f"]
    assert not git.sendable("x" * 1025)


def test_a_first_commit_is_measured_against_nothing_in_either_hash(tmp_path: Path) -> None:
    for hashing in ("sha1", "sha256"):
        repo = Repo.make(tmp_path / hashing, f"--object-format={hashing}")
        repo.write("a", "one\n")
        repo.git("add", "-A")
        assert git.staged(repo.path) == [git.Change("a", repo.git("rev-parse", ":a"), digest("+one\n"))]
        first = repo.commit()
        repo.git("rm", "-q", "a")
        assert git.staged(repo.path) == [git.Change("a", GONE, digest("-one\n"))]
        repo.commit()
        assert changed(repo, first) == {"a": git.Change("a", GONE, digest("-one\n"), (digest("-one\n"),))}


def test_a_rename_is_a_deletion_and_an_addition(repo: Repo) -> None:
    repo.git("config", "diff.renames", "copies")
    head = repo.commit(old=LINES)
    repo.git("mv", "old", "new")
    found = by_path(git.staged(repo.path))
    assert (found["old"].blob, found["new"].blob) == (GONE, repo.blob("old"))
    assert {name for name, gone in git.dirty(repo.path) if gone} == {"old"}
    repo.commit()
    assert set(changed(repo, head)) == {"old", "new"}


def test_a_binary_file_a_mode_and_an_empty_file_have_blobs_and_no_digest(repo: Repo) -> None:
    repo.write("picture", b"\0\1\2")
    repo.write("empty")
    repo.git("add", "-A")
    repo.git("update-index", "--chmod=+x", "base")
    found = by_path(git.staged(repo.path))
    assert {path: (bool(change.blob), change.patch) for path, change in found.items()} == {
        "picture": (True, ""),
        "empty": (True, ""),
        "base": (True, ""),
    }


def test_a_file_that_became_a_link_is_one_path(repo: Repo) -> None:
    (repo.path / "base").unlink()
    (repo.path / "base").symlink_to("elsewhere")
    repo.git("add", "-A")
    [change] = git.staged(repo.path)
    assert change == git.Change("base", repo.git("rev-parse", ":base"), digest("-base\n", "+elsewhere\n"))


def test_a_file_that_holds_a_patch_does_not_confuse(repo: Repo) -> None:
    patch = "diff --git a/x b/x\n@@ -1,2 +1,3 @@\n-- a\n++ b\n:100644 100644 0 0 M\tx\n" + "a" * 40 + "\n\\ no\n"
    repo.write("p", patch)
    repo.write("q", "q\n")
    repo.git("add", "-A")
    found = by_path(git.staged(repo.path))
    assert set(found) == {"p", "q"}
    # Counted lines keep their sign, so the one that begins with a backslash does, too.
    assert found["p"].patch == digest(*("+" + line for line in patch.splitlines(keepends=True)))


def test_what_is_only_meant_to_be_added_is_not_staged(repo: Repo) -> None:
    repo.write("later", "x")
    repo.git("add", "-N", "later")
    assert git.staged(repo.path) == []
    assert [name for name, _ in git.dirty(repo.path)] == ["later"]


def test_settings_and_attributes_that_change_what_git_prints_change_nothing(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write("ümläut.py", LINES)
    head = repo.commit()
    repo.write("ümläut.py", "up\n" + LINES)
    repo.write("moved", LINES)
    repo.git("add", "-A")
    plain = git.staged(repo.path)
    for name, value in {
        "color.ui": "always",
        "color.diff": "always",
        "core.quotePath": "false",
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.external": "false",
        "diff.context": "9",
        "diff.interHunkContext": "20",
        "diff.algorithm": "patience",
        "diff.renames": "copies",
        "diff.relative": "true",
        "diff.submodule": "log",
        "diff.upper.textconv": "tr a-z A-Z <",
        "core.abbrev": "5",
        "log.showSignature": "true",
        "status.relativePaths": "true",
        "status.showUntrackedFiles": "no",
    }.items():
        repo.git("config", name, value)
    repo.write(".git/info/attributes", "*.py diff=upper\n")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u9")
    assert git.staged(repo.path) == plain
    assert {name for name, _ in git.dirty(repo.path)} == {"ümläut.py", "moved"}
    repo.git("commit", "-q", "-m", "Up.")
    assert {path: change.patch for path, change in changed(repo, head).items()} == {c.path: c.patch for c in plain}


def test_the_index_a_hook_is_given_is_the_one_that_is_read(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("base", "other\n")
    other = repo.path / "other-index"
    repo.git("add", "base", GIT_INDEX_FILE=str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other))
    assert [change.path for change in git.staged(repo.path)] == ["base"]
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert git.staged(repo.path) == []


def test_a_part_that_is_staged_is_judged_by_that_part(repo: Repo) -> None:
    repo.write("base", "base\nstaged\n")
    repo.git("add", "base")
    repo.write("base", "base\nstaged\nnot yet\n")
    assert [change.patch for change in git.staged(repo.path)] == [digest("+staged\n")]


def test_a_linked_worktree_is_read_by_itself(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    side = Repo(tmp_path / "side")
    side.write("here", "x")
    side.git("add", "-A")
    assert [change.path for change in git.staged(side.path)] == ["here"]
    assert git.staged(repo.path) == []


def test_another_checkout_is_read_apart_from_the_environment(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repo.make(tmp_path / "other")
    other.write("mine", "x")
    monkeypatch.setenv("GIT_DIR", str(repo.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(repo.path))
    assert [name for name, _ in git.dirty(other.path, apart=True)] == ["mine"]


def test_a_submodule_is_the_commit_it_points_at_and_what_is_dirty_in_it_is_its_own(repo: Repo, tmp_path: Path) -> None:
    library = Repo.make(tmp_path / "library")
    first = library.commit(lib="1\n")
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.path), "vendor")
    found = by_path(git.staged(repo.path))
    assert set(found) == {".gitmodules", "vendor"}
    assert found["vendor"].blob == first
    head = repo.commit()
    inside = Repo(repo.path / "vendor")
    inside.write("lib", "2\n")
    assert git.dirty(repo.path) == []
    second = inside.commit()
    assert [name for name, _ in git.dirty(repo.path)] == ["vendor"]
    repo.commit()
    assert changed(repo, head)["vendor"].blob == second


def test_a_large_file_is_its_pointer(repo: Repo) -> None:
    # As git-lfs sets it up: content is cleaned to a pointer, and compared by a driver that nobody need have.
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 3\n"
    repo.git("config", "filter.lfs.clean", f"printf '{pointer.replace(chr(10), chr(92) + 'n')}'")
    repo.git("config", "filter.lfs.required", "true")
    repo.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    repo.write("big.bin", b"\0\1\2")
    repo.git("add", "-A")
    change = by_path(git.staged(repo.path))["big.bin"]
    assert repo.git("cat-file", "-p", change.blob) == pointer.strip()
    assert change.patch == digest(*("+" + line for line in pointer.splitlines(keepends=True)))


def test_conflicts_are_not_staged_and_are_dirty(repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.commit(base="side\n")
    repo.git("checkout", "-q", "main")
    repo.commit(base="main\n")
    repo.git("merge", "-q", "side", check=False)
    assert git.staged(repo.path) == []
    assert [name for name, _ in git.dirty(repo.path)] == ["base"]


# --- the working tree ---------------------------------------------------------------------------------------


def test_the_working_tree_is_what_is_changed_staged_or_new_and_not_what_is_ignored(repo: Repo) -> None:
    repo.commit(kept="k\n", gone="g\n", cached="c\n")
    repo.write(".gitignore", "*.log\n")
    repo.write("base", "changed\n")
    repo.write("fold/er/new", "x")
    repo.write("noise.log", "x")
    (repo.path / "gone").unlink()
    repo.git("rm", "-q", "--cached", "cached")
    found = by_path(git.worktree_changes(repo.path))
    assert {path: change.blob for path, change in found.items() if path != "cached"} == {
        ".gitignore": "",
        "base": "",
        "fold/er/new": "",
        "gone": GONE,
    }


def test_a_status_that_was_cut_off_has_whole_names_only(repo: Repo) -> None:
    repo.write("first", "x")
    repo.write("second", "x")
    output = git.run(git.status_args(), repo.path)
    assert [name for name, _ in git.read_status(output[:-2])] == ["first"]


def test_ignored_is_what_is_not_tracked_and_matches(repo: Repo) -> None:
    repo.write("tracked.log", "x")
    repo.git("add", "-f", "tracked.log")
    repo.commit()
    repo.write(".gitignore", "*.log\n")
    asked = ["tracked.log", "other.log", "new\n.log", "base", "not/there.log"]
    assert git.ignored(asked, repo.path) == {"other.log", "new\n.log", "not/there.log"}
    assert git.ignored([], repo.path) == set()


def test_what_git_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(git.GitError, match="not a git repository"):
        git.staged(tmp_path)

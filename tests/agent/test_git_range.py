"""What a range of commits changed, and what of a digest lives through rebase, squash, amend and cherry-pick."""

import os
from pathlib import Path

import pytest

from mcp_gateway.agent import git
from mcp_gateway.agent.patches import GONE
from tests.agent.gitting import Repo, environment
from tests.agent.test_git import LINES, by_path, changed, digest


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """``main`` with one long file, and a branch ``side`` that is checked out."""
    repo = Repo.make(tmp_path / "app")
    repo.commit("First.", file=LINES)
    repo.git("checkout", "-q", "-b", "side")
    return repo


def moved_on(repo: Repo) -> None:
    """Give main a commit that changes the file elsewhere, so that every line below moves."""
    repo.git("checkout", "-q", "main")
    repo.commit("Main moves on.", file="above\nabove\n" + LINES.replace("line 2\n", ""))
    repo.git("checkout", "-q", "side")


def edit(repo: Repo, number: int, message: str = "Edit.") -> str:
    text = (repo.path / "file").read_text().replace(f"line {number}\n", f"line {number}, edited\n")
    return repo.commit(message, file=text)


def edited(number: int) -> tuple[str, str]:
    return f"-line {number}\n", f"+line {number}, edited\n"


def test_a_rebase_over_changes_elsewhere_in_the_file_keeps_the_digest(repo: Repo) -> None:
    edit(repo, 30)
    before = changed(repo, "main")["file"]
    moved_on(repo)
    repo.git("rebase", "-q", "main")
    after = changed(repo, "main")["file"]
    assert after.blob != before.blob
    assert after.patch == before.patch == digest(*edited(30))
    assert after.patches == before.patches == (digest(*edited(30)),)


def test_a_squash_has_the_digest_and_the_blob_of_the_range_it_squashes(repo: Repo) -> None:
    edit(repo, 10)
    edit(repo, 30)
    before = changed(repo, "main")["file"]
    assert before.patches == (digest(*edited(10)), digest(*edited(30)))
    repo.git("checkout", "-q", "-b", "squashed", "main")
    repo.git("merge", "-q", "--squash", "side")
    assert by_path(git.staged(repo.path))["file"].blob == before.blob
    repo.git("commit", "-q", "-m", "Both.")
    after = changed(repo, "main")["file"]
    assert (after.blob, after.patches) == (before.blob, (before.patch,))


def test_a_squash_onto_a_main_that_moved_on_has_the_digest_of_the_range(repo: Repo) -> None:
    edit(repo, 10)
    edit(repo, 30)
    before = changed(repo, "main")["file"]
    moved_on(repo)
    repo.git("checkout", "-q", "-b", "squashed", "main")
    repo.git("merge", "-q", "--squash", "side")
    repo.git("commit", "-q", "-m", "Both.")
    assert changed(repo, "main")["file"].patches == (before.patch,)


def test_an_amended_commit_and_a_picked_one_have_the_digest_of_their_lines(repo: Repo) -> None:
    edit(repo, 30)
    edit(repo, 10)
    repo.git("reset", "-q", "--soft", "HEAD~1")
    repo.git("commit", "-q", "--amend", "--no-edit")
    assert changed(repo, "main")["file"].patches == (digest(*edited(10), *edited(30)),)
    picked = edit(repo, 20)
    moved_on(repo)
    repo.git("checkout", "-q", "-b", "picking", "main")
    repo.git("cherry-pick", picked)
    assert changed(repo, "main")["file"].patches == (digest(*edited(20)),)


def test_what_was_reverted_within_the_range_is_left_out(repo: Repo) -> None:
    edit(repo, 30)
    repo.commit(other="o\n")
    repo.git("revert", "--no-edit", "HEAD~1")
    assert set(changed(repo, "main")) == {"other"}


def test_deletions_in_a_range_count(repo: Repo) -> None:
    edit(repo, 30)
    repo.git("rm", "-q", "file")
    repo.commit("Gone.")
    change = changed(repo, "main")["file"]
    assert (change.blob, len(change.patches)) == (GONE, 2)
    assert change.patch == digest(*("-" + line for line in LINES.splitlines(keepends=True)))


def test_what_a_merge_took_over_belongs_to_the_commits_that_made_it(repo: Repo) -> None:
    edit(repo, 30)
    repo.git("checkout", "-q", "main")
    repo.commit(theirs="t\n")
    repo.git("checkout", "-q", "side")
    repo.git("merge", "-q", "--no-edit", "main")
    assert set(changed(repo, "main")) == {"file"}
    # Without main's history taken out, its commit is the range's, and the merge adds nothing of its own.
    found = changed(repo, "side~1")
    assert found["theirs"].patches == (digest("+t\n"),)
    assert "file" not in found


def test_a_resolved_conflict_is_the_merges_own_with_the_digest_its_hook_saw(repo: Repo) -> None:
    edit(repo, 30)
    repo.git("checkout", "-q", "main")
    repo.commit(file=LINES.replace("line 30\n", "line 30 of main\n"))
    repo.git("checkout", "-q", "side")
    repo.git("merge", "-q", "main", check=False)
    repo.write("file", LINES.replace("line 30\n", "line 30 of both\n"))
    repo.git("add", "file")
    [staged] = git.staged(repo.path)
    repo.git("commit", "-q", "--no-edit")
    found = changed(repo, "main")["file"]
    assert found.blob == staged.blob
    assert found.patches == (digest(*edited(30)), staged.patch)
    assert staged.patch == digest("-line 30, edited\n", "+line 30 of both\n")


def test_an_odd_name_in_a_merge_is_read_as_it_is(repo: Repo) -> None:
    name = 'new\nline "é".py'
    repo.write(name, "1\n")
    repo.commit()
    repo.git("branch", "other")
    repo.write(name, "1\n2\n")
    repo.commit()
    repo.git("checkout", "-q", "other")
    repo.write(name, "1\n3\n")
    repo.commit()
    repo.git("merge", "-q", "side", check=False)
    repo.write(name, "1\n2\n3\n")
    repo.commit("Both.")
    assert len(changed(repo, "main")[name].patches) == 4


def test_commits_the_other_side_has_are_no_part_of_what_is_pushed(repo: Repo) -> None:
    edit(repo, 30)
    repo.git("checkout", "-q", "main")
    main = repo.commit(theirs="t\n")
    repo.git("checkout", "-q", "side")
    pushed = repo.git("rev-parse", "HEAD")
    repo.git("merge", "-q", "--no-edit", "main")
    repo.commit(mine="m\n")
    assert set(changed(repo, pushed)) == {"mine", "theirs"}
    found = git.range_changes(pushed, "HEAD", repo.path, without=[main])
    assert [change.path for change in found] == ["mine"]


def test_a_range_from_nothing_is_everything(repo: Repo) -> None:
    edit(repo, 30)
    found = changed(repo, "")["file"]
    assert len(found.patches) == 2
    assert found.blob == repo.blob("file")
    assert changed(repo, "HEAD") == {}


def test_histories_that_never_met_are_measured_against_nothing(repo: Repo) -> None:
    repo.git("checkout", "-q", "--orphan", "apart")
    repo.commit()
    assert changed(repo, "main")["file"].patch == digest(*("+" + line for line in LINES.splitlines(keepends=True)))


def test_a_range_whose_beginning_is_not_here_says_how_to_get_it(repo: Repo, tmp_path: Path) -> None:
    edit(repo, 30)
    edit(repo, 20)
    repo.git("clone", "-q", "--depth", "1", f"file://{repo.path}", str(tmp_path / "shallow"))
    shallow = Repo(tmp_path / "shallow")
    with pytest.raises(git.GitError, match="fetch-depth: 0"):
        git.range_changes(repo.git("rev-parse", "main"), "HEAD", shallow.path)
    with pytest.raises(git.GitError, match="--nothing is not a commit"):
        git.range_changes("--nothing", "HEAD", repo.path)


def test_the_number_of_calls_does_not_grow_with_paths_or_commits(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calls() -> int:
        trace = tmp_path / "trace"
        trace.unlink(missing_ok=True)
        monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
        git.range_changes("main", "HEAD", repo.path)
        monkeypatch.delenv("GIT_TRACE2_EVENT")
        return trace.read_text().count('"event":"start"')

    edit(repo, 1)
    few = calls()
    for number in range(2, 8):
        repo.commit(f"{number}", **{f"new{number}_{index}": "x\n" for index in range(5)})
    assert calls() == few <= 8

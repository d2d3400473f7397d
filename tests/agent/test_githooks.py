"""Git's hooks against a real server: commits are attested, what is rewritten keeps its coverage, pushes are held to it.

And what a person's own commit and an absent server do.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_gateway.agent.wiring.githooks import NAMES, script
from tests.agent.gitting import Repo
from tests.agent.wire import Wire
from tests.agent.working import Done, Session, Worker, allowed, wire
from tests.making import Place

LINES = "".join(f"line {number}\n" for number in range(40))


@pytest.fixture
def repo(repo: Repo, tmp_path: Path) -> Repo:
    """With a remote that has `main`, and our hooks."""
    repo.commit("Long.", src__long=LINES)
    remote = Repo.make(tmp_path / "remote.git", "--bare")
    repo.git("remote", "add", "origin", str(remote.path))
    repo.git("push", "-q", "origin", "main")
    repo.git("remote", "set-head", "origin", "main")
    for name in NAMES:
        repo.write(f".git/hooks/{name}", script(name)).chmod(0o755)
    return repo


@pytest.fixture
def ada(ada: Session) -> Session:
    ada.start()
    ada.worker.shell("git checkout -q -b work")
    return ada


@pytest.fixture
def gate(repo: Repo, place: Place, web, tmp_path: Path) -> Iterator[Worker]:
    """A pipeline: a clone, a token that may only verify, no run."""
    with Worker("runner", tmp_path / "gate", tmp_path / "bin") as worker:
        worker.cwd.mkdir()
        repo.git("clone", "-q", str(repo.path), str(worker.cwd))
        wire(Repo(worker.cwd), place, web.url, place.token(preset="ci"))
        yield worker


def git(session: Session, *args: str, check: int | None = 0, cwd: Path | None = None, **env: str) -> Done:
    return session.worker.run("git", *args, check=check, cwd=cwd, **env)


def edit(session: Session, repo: Repo, path: str, text: str, message: str = "Edit.") -> None:
    """As an agent does: the hook is asked, the file written, the change committed."""
    allowed(session.edit(path, cwd=repo.path))
    repo.write(path, text)
    git(session, "add", "-A", cwd=repo.path)
    git(session, "commit", "-q", "-m", message, cwd=repo.path)


def edited(*numbers: int) -> str:
    return "".join(f"{line}, edited\n" if int(line[5:]) in numbers else f"{line}\n" for line in LINES.splitlines())


def statuses(gate: Worker, repo: Repo, commits: str = "origin/main..origin/work") -> dict[str, str]:
    """What a pipeline finds, after everything is released."""
    repo.git("push", "-q", "--force", "--no-verify", str(gate.cwd), "HEAD:refs/remotes/origin/work")
    repo.git("push", "-q", "--force", "--no-verify", str(gate.cwd), "main:refs/remotes/origin/main")
    done = gate.interlock("verify", "range", commits, "--json")
    found = {finding["path"]: finding["status"] for finding in done.json["findings"]}
    assert done.code == (1 if done.json["verdict"] == "fail" else 0)
    return found


def release(session: Session) -> None:
    session.worker.interlock("release", "--all", check=0)


# --- commits ------------------------------------------------------------------------------------------------


def test_a_covered_commit_is_attested_and_says_whose_it_is(ada: Session, repo: Repo, gate: Worker) -> None:
    edit(ada, repo, "src/a", "changed\n", "Change a.")
    message = repo.git("log", "-1", "--format=%B")
    found = re.fullmatch(r"Change a\.\n\nAgent: claude-code\nAgent-Instance: ins_\w{26}\nAgent-Fence: \d+", message)
    assert found, message
    release(ada)
    assert statuses(gate, repo) == {"src/a": "attested"}


def test_under_enforce_what_is_not_covered_is_not_committed(ada: Session, repo: Repo, place: Place) -> None:
    place.set_policy(verify_policy="enforce")
    repo.write("src/new", "x")
    git(ada, "add", "-A")
    done = git(ada, "commit", "-m", "New.", check=1)
    assert "the commit was refused" in done.err and "src/new" in done.err and "interlock claim PATH" in done.err
    ada.worker.interlock("claim", "src/new", check=0)
    git(ada, "commit", "-m", "New.")


def test_by_default_unclaimed_ground_is_warned_of_and_others_ground_is_refused(
    ada: Session, ben: Session, repo: Repo
) -> None:
    repo.write("src/new", "x")
    git(ada, "add", "-A")
    assert "unclaimed" in git(ada, "commit", "-m", "New.").err
    allowed(ben.edit("src/b"))
    repo.write("src/b", "not mine\n")
    git(ada, "add", "-A")
    done = git(ada, "commit", "-m", "B.", check=1)
    assert re.search(r"src/b: claude-code \(ins_\w+", done.err) and "git restore --staged" in done.err
    git(ada, "commit", "--no-verify", "-m", "B.")


def test_commit_all_is_judged_by_the_index_it_makes(ada: Session, repo: Repo, place: Place) -> None:
    place.set_policy(verify_policy="enforce")
    repo.write("src/a", "unclaimed\n")
    assert "src/a" in git(ada, "commit", "-a", "-m", "All.", check=1).err
    ada.worker.interlock("claim", "src/a", check=0)
    repo.write("src/b", "not in this commit\n")
    git(ada, "commit", "-m", "One.", "src/a")
    assert "src/b" in git(ada, "commit", "-am", "All.", check=1).err


def test_a_part_that_was_added_is_what_is_attested(ada: Session, repo: Repo, gate: Worker) -> None:
    allowed(ada.edit("src/long"))
    repo.write("src/long", edited(5))
    git(ada, "add", "src/long")
    repo.write("src/long", edited(5, 30))
    git(ada, "commit", "-q", "-m", "Five.")
    release(ada)
    assert statuses(gate, repo) == {"src/long": "attested"}
    git(ada, "commit", "-q", "-am", "Thirty.")
    # The rest was committed after the release: nobody attested it.
    assert statuses(gate, repo) == {"src/long": "unclaimed"}


def test_names_of_any_kind_are_committed_and_found_again(ada: Session, repo: Repo, gate: Worker) -> None:
    ada.worker.interlock("claim", "odd", check=0)
    for name in ("with space", 'quote"', "ümläut", "-dash", "a -> b", "[id].tsx", "star*"):
        repo.write(f"odd/{name}", name)
    repo.write("odd/new\nline", "x")
    git(ada, "add", "-A")
    done = git(ada, "commit", "-q", "-m", "Odd.")
    assert "cannot be named" in done.err
    release(ada)
    found = statuses(gate, repo)
    assert found.pop("odd/new\nline") == "unnameable"
    assert set(found.values()) == {"attested"} and len(found) == 7


def test_renames_and_deletions_count_as_both_paths(ada: Session, repo: Repo, gate: Worker, place: Place) -> None:
    place.set_policy(verify_policy="enforce")
    git(ada, "mv", "src/long", "src/moved")
    ada.worker.interlock("claim", "src/moved", check=0)
    assert "src/long" in git(ada, "commit", "-m", "Move.", check=1).err
    ada.worker.interlock("claim", "src/long", check=0)
    git(ada, "commit", "-q", "-m", "Move.")
    release(ada)
    assert statuses(gate, repo) == {"src/long": "attested", "src/moved": "attested"}


def test_a_commit_in_a_linked_worktree_is_the_same_runs(ada: Session, repo: Repo, tmp_path: Path, place: Place) -> None:
    place.set_policy(verify_policy="enforce")
    git(ada, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    side = Repo(tmp_path / "side")
    edit(ada, side, "src/a", "in the side\n")
    assert "Agent-Instance: ins_" in side.git("log", "-1", "--format=%B")


# --- what is rewritten --------------------------------------------------------------------------------------


def rewrite(kind: str, ada: Session, repo: Repo) -> None:
    """Rewrite two commits to `src/long` in one of the ways people do, over a main that moved on."""
    if kind == "amend":
        git(ada, "commit", "-q", "--amend", "-m", "Other words.")
        return
    if kind == "fast squash":
        git(ada, "checkout", "-q", "-b", "squashed", "main")
        git(ada, "merge", "-q", "--squash", "work")
        git(ada, "commit", "-q", "--no-verify", "-m", "Both.")
        return
    repo.git("checkout", "-q", "main")
    repo.write("src/long", "above\n" + LINES)
    repo.git("commit", "-q", "--no-verify", "-am", "Main moves on.")
    repo.git("checkout", "-q", "work")
    if kind == "rebase":
        git(ada, "rebase", "-q", "main")
    elif kind == "cherry-pick":
        git(ada, "checkout", "-q", "-b", "picked", "main")
        git(ada, "cherry-pick", "main..work")
    elif kind == "fixup":
        git(ada, "rebase", "-q", "-i", "main", GIT_SEQUENCE_EDITOR="sed -i '2s/pick/fixup/'")


@pytest.mark.parametrize("kind", ["amend", "fast squash", "rebase", "cherry-pick"])
def test_what_is_rewritten_after_the_claims_are_gone_is_still_covered(
    kind: str, ada: Session, repo: Repo, gate: Worker
) -> None:
    edit(ada, repo, "src/long", edited(10))
    edit(ada, repo, "src/long", edited(10, 30))
    release(ada)
    rewrite(kind, ada, repo)
    assert statuses(gate, repo) == {"src/long": "attested"}


def test_a_squash_while_rebasing_is_attested_once_it_is_there(ada: Session, repo: Repo, gate: Worker) -> None:
    edit(ada, repo, "src/long", edited(10))
    edit(ada, repo, "src/long", edited(10, 30))
    rewrite("fixup", ada, repo)
    assert repo.git("rev-list", "--count", "main..HEAD") == "1"
    release(ada)
    assert statuses(gate, repo) == {"src/long": "attested"}


def test_an_amended_commit_that_is_rebased_later_is_still_covered(ada: Session, repo: Repo, gate: Worker) -> None:
    edit(ada, repo, "src/long", edited(10))
    repo.write("src/long", edited(10, 30))
    git(ada, "commit", "-q", "-a", "--amend", "--no-edit")
    release(ada)
    rewrite("rebase", ada, repo)
    assert statuses(gate, repo) == {"src/long": "attested"}


def test_who_rebases_does_not_become_the_author(ada: Session, ben: Session, repo: Repo) -> None:
    edit(ada, repo, "src/long", edited(10))
    before = repo.git("log", "-1", "--format=%(trailers)")
    ben.start()
    rewrite("rebase", ben, repo)
    assert repo.git("log", "-1", "--format=%(trailers)") == before
    git(ben, "commit", "-q", "--amend", "-m", "Ben's words.\n\n" + before)
    assert repo.git("log", "-1", "--format=%(trailers)") == before


def test_trailers_are_written_once_and_not_into_merges(ada: Session, repo: Repo) -> None:
    edit(ada, repo, "src/a", "1\n", "A.\n\nCo-authored-by: Ada <ada@example.com>\nTicket: 7")
    before = repo.git("log", "-1", "--format=%B")
    assert before.count("Agent:") == 1 and "Ticket: 7\nAgent: " in before
    repo.git("config", "trailer.agent.command", "touch ran")
    repo.git("config", "trailer.ifexists", "doNothing")
    release(ada)
    allowed(ada.edit("src/a"))
    repo.write("src/a", "2\n")
    git(ada, "commit", "-q", "-a", "--amend", "--no-edit")
    after = repo.git("log", "-1", "--format=%(trailers)")
    assert [after.count(name) for name in ("Agent: ", "Agent-Instance: ", "Agent-Fence: ", "Ticket: ")] == [1] * 4
    assert after not in before, "the fence is the new one"
    assert not (repo.path / "ran").exists()
    git(ada, "checkout", "-q", "-b", "other", "main")
    edit(ada, repo, "src/b", "1\n")
    git(ada, "merge", "-q", "--no-edit", "work")
    assert "Agent" not in repo.git("log", "-1", "--format=%B")


def test_a_commit_that_is_given_up_stays_given_up(ada: Session, repo: Repo) -> None:
    allowed(ada.edit("src/a"))
    repo.write("src/a", "x\n")
    done = git(ada, "commit", "-a", check=1)
    assert "empty commit message" in done.err


# --- pushes -------------------------------------------------------------------------------------------------


def test_a_push_of_attested_commits_passes_and_of_others_is_refused(ada: Session, repo: Repo, place: Place) -> None:
    edit(ada, repo, "src/a", "1\n")
    release(ada)
    place.set_policy(verify_policy="enforce")
    git(ada, "push", "-q", "origin", "work")
    repo.write("src/b", "1\n")
    git(ada, "commit", "-q", "--no-verify", "-am", "Unseen.")
    done = git(ada, "push", "origin", "work", check=1)
    assert "the push of work was refused" in done.err and "src/b" in done.err and "src/a" not in done.err
    ada.worker.interlock("claim", "src/b", check=0)
    git(ada, "push", "-q", "origin", "work")
    release(ada)
    # What was covered when it was pushed is attested by that: no second push need ask for a claim.
    git(ada, "push", "-q", "origin", "work:again")


def test_what_the_remote_has_already_is_nobodys_concern(ada: Session, repo: Repo, place: Place) -> None:
    repo.git("checkout", "-q", "main")
    repo.write("theirs", "x")
    repo.git("add", "-A")
    repo.git("commit", "-q", "--no-verify", "-m", "Theirs.")
    repo.git("push", "-q", "--no-verify", "origin", "main")
    repo.git("checkout", "-q", "work")
    edit(ada, repo, "src/a", "1\n")
    place.set_policy(verify_policy="enforce")
    git(ada, "push", "-q", "origin", "work")
    git(ada, "merge", "-q", "--no-edit", "main")
    git(ada, "push", "-q", "origin", "work")
    git(ada, "push", "-q", "origin", ":work")
    git(ada, "tag", "v1", "main")
    git(ada, "push", "-q", "origin", "v1")


def test_a_forced_push_is_measured_by_what_is_new(ada: Session, repo: Repo, place: Place) -> None:
    edit(ada, repo, "src/a", "1\n")
    git(ada, "push", "-q", "origin", "work")
    git(ada, "reset", "-q", "--hard", "main")
    edit(ada, repo, "src/long", edited(3))
    release(ada)
    place.set_policy(verify_policy="enforce")
    git(ada, "push", "-q", "--force", "origin", "work")
    repo.write("src/b", "1\n")
    git(ada, "commit", "-q", "--no-verify", "-a", "--amend", "--no-edit")
    done = git(ada, "push", "--force", "origin", "work", check=1)
    assert "src/b" in done.err and "src/long" not in done.err


def test_a_pushed_range_is_known_when_it_comes_back_as_one_commit(
    ada: Session, repo: Repo, gate: Worker, place: Place
) -> None:
    edit(ada, repo, "src/long", edited(10))
    edit(ada, repo, "src/long", edited(10, 30))
    git(ada, "push", "-q", "origin", "work")
    release(ada)
    # As a forge squashes: somewhere else, onto a main where the file has changed.
    repo.git("checkout", "-q", "main")
    repo.write("src/long", "above\n" + LINES)
    repo.git("commit", "-q", "--no-verify", "-am", "Main moves on.")
    repo.git("checkout", "-q", "-b", "squashed")
    repo.git("merge", "-q", "--squash", "work")
    repo.git("commit", "-q", "--no-verify", "-m", "Both.")
    assert statuses(gate, repo) == {"src/long": "attested"}


# --- without a run, without a server ------------------------------------------------------------------------


def test_a_person_is_warned_of_held_ground_and_refused_under_enforce_with_the_way_out(
    ada: Session, repo: Repo, place: Place, tmp_path: Path
) -> None:
    allowed(ada.edit("src/a"))
    repo.write("src/a", "a person's\n")
    with Worker("person", repo.path, tmp_path / "bin") as person:
        done = person.run("git", "commit", "-am", "Mine.", check=0)
        assert "src/a is held by claude-code" in done.err
        assert "Agent" not in repo.git("log", "-1", "--format=%B")
        place.set_policy(verify_policy="enforce")
        repo.write("src/b", "a person's\n")
        done = person.run("git", "commit", "-am", "Mine, too.", check=1)
        assert "interlock claim PATH" in done.err and "--no-verify" in done.err
        person.interlock("claim", "src/b", check=0)
        person.run("git", "commit", "-am", "Mine, too.", check=0)


def test_a_server_that_is_away_lets_commits_through_or_not_as_the_project_wants(
    ada: Session, repo: Repo, line: Wire, place: Place
) -> None:
    repo.write("src/a", "1\n")
    line.cut = True
    assert "was not checked" in git(ada, "commit", "-am", "Away.").err
    assert "was not checked" in git(ada, "push", "origin", "work").err
    line.cut = False
    place.set_policy(guard_offline="closed")
    ada.start("compact")
    line.cut = True
    repo.write("src/a", "2\n")
    done = git(ada, "commit", "-am", "Away.", check=1)
    assert "offline policy is closed" in done.err and "interlock doctor" in done.err


def test_an_older_copy_of_a_run_attests_nothing(ada: Session, repo: Repo, tmp_path: Path) -> None:
    edit(ada, repo, "src/a", "1\n")
    with Worker("claude", repo.path, tmp_path / "bin") as worker:
        Session(worker, ada.id).start("resume")
        repo.write("src/a", "2\n")
        assert "was refused" in git(ada, "commit", "-am", "Zombie.", check=1).err
        worker.run("git", "commit", "-am", "Resumed.", check=0)


def test_hooks_do_nothing_where_nothing_is_wired(repo: Repo, ada: Session) -> None:
    (repo.path / ".interlock/local.env").rename(repo.path / ".interlock/away.env")
    repo.write("src/a", "1\n")
    path = f"{repo.path}/bin:/usr/bin:/bin"
    done = git(ada, "commit", "-am", "Plain.", PATH=path)
    assert "interlock" in done.err


def test_a_probe_answers_and_does_nothing(ada: Session, repo: Repo, line: Wire) -> None:
    with line.counted() as number:
        for name in NAMES:
            assert ada.worker.interlock("git-hook", name, "--probe", check=0).out == f"interlock {name}: here\n"
            done = ada.worker.run(f".git/hooks/{name}", "--probe", check=0)
            assert "here" in done.out
    assert number == [0]

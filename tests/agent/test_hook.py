"""The hook command against a real server: what is let through, what is refused, and what the model is told."""

from pathlib import Path

import pytest

from tests.agent.gitting import Repo
from tests.agent.wire import Wire
from tests.agent.working import COMMAND, Session, allowed, refused, wire
from tests.making import Place

# --- judging ------------------------------------------------------------------------------------------------


def test_a_session_is_told_who_it_is_what_the_rules_are_and_how_the_guard_proves_itself(ada: Session) -> None:
    told = allowed(ada.start())
    assert "ins_" in told and "interlock claim" in told
    probe = next(word for word in told.split() if word.startswith(".interlock/probe/"))
    assert "The guard works" in refused(ada.edit(probe))


def test_a_session_is_told_who_is_here_and_what_others_hold(ada: Session, ben: Session) -> None:
    ada.start()
    allowed(ada.edit("src/a"))
    told = allowed(ben.start())
    assert "Held by others: src/a by claude-code (ins_" in told and "In this same checkout: claude-code" in told
    assert "Held by others" not in allowed(ada.start("compact"))


def test_the_first_touch_claims_and_another_session_is_refused_with_who_holds_it(ada: Session, ben: Session) -> None:
    ada.start()
    ben.start()
    allowed(ada.edit("src/a"))
    reason = refused(ben.edit("src/a"))
    assert "src/a is held by claude-code" in reason and "interlock claim src/a --wait" in reason
    allowed(ben.edit("src/b"))
    allowed(ada.edit("src/a"))


def test_a_write_is_judged_where_it_lands_and_not_where_the_session_stands(
    ada: Session, ben: Session, repo: Repo, tmp_path: Path
) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    ada.start()
    ben.start()
    allowed(ada.edit("src/a"))
    assert "src/a is held" in refused(ben.edit(tmp_path / "side/src/a"))
    assert "src/a is held" in refused(ben.edit("src/a", cwd=tmp_path / "side"))
    assert "src/a is held" in refused(ben.edit(repo.path / "src/a", cwd=tmp_path))


def test_a_link_is_followed_to_what_it_points_at(ada: Session, ben: Session, repo: Repo) -> None:
    ada.start()
    allowed(ada.edit("src/a"))
    (repo.path / "alias").symlink_to("src/a")
    (repo.path / "lib").symlink_to("src")
    assert "src/a is held" in refused(ben.edit("alias"))
    assert "src/a is held" in refused(ben.edit("lib/a"))
    # Taking the link away takes nothing of what it points at.
    allowed(ben.about_to_run("rm alias"))


def test_a_folder_that_goes_away_is_all_that_is_in_it(ada: Session, ben: Session) -> None:
    ada.start()
    allowed(ada.edit("src/a"))
    assert "held by" in refused(ben.about_to_run("rm -r src"))
    assert "held by" in refused(ben.about_to_run("cd src && mv ../src ../other"))


def test_shell_commands_are_judged_by_what_they_write(ada: Session, ben: Session) -> None:
    ada.start()
    allowed(ada.edit("src/a"))
    for command in ("echo x > src/a", "sed -i s/a/b/ src/a", "cp src/b src/a", "cd src && tee -a a < b", "rm src/a"):
        assert "src/a is held" in refused(ben.about_to_run(command)), command
    for command in ("cat src/a", "grep a src/a > /dev/null", "ls -la src"):
        allowed(ben.about_to_run(command))


def test_git_commands_that_throw_away_work_are_refused_beside_another_session(ada: Session, ben: Session) -> None:
    allowed(ada.about_to_run("git stash"))
    ben.start()
    for command in ("git reset --hard", "git stash", "git checkout -- .", "git clean -fd"):
        assert "Refused, nothing was done" in refused(ada.about_to_run(command)), command
    allowed(ada.about_to_run("git status"))


def test_what_is_ignored_is_outside_or_is_gits_own_is_nobodys_and_not_asked_about(
    ada: Session, ben: Session, repo: Repo, tmp_path: Path, line: Wire
) -> None:
    ada.start()
    repo.write(".gitignore", "*.log\nbuild/\n")
    repo.git("add", "-f", repo.write("kept.log", "x").name)
    with line.counted() as number:
        allowed(ada.edit("build/out/x.o"))
        allowed(ada.edit("noise.log"))
        allowed(ada.edit(".git/config"))
        allowed(ada.edit(".interlock/local.env"))
        allowed(ada.edit(tmp_path / "elsewhere.txt"))
        allowed(ada.about_to_run("echo x > /dev/null; cat src/a"))
    assert number == [0]
    allowed(ada.edit("kept.log"))
    assert ben.worker.interlock("check", "kept.log").code == 1


def test_a_file_that_cannot_be_named_is_said_to_be_unguarded(ada: Session) -> None:
    ada.start()
    assert "cannot guard bad?name" in allowed(ada.edit("bad\nname"))


def test_only_paths_leave_the_machine(ada: Session, line: Wire) -> None:
    ada.start()
    secret = "SEKRIT-CONTENT"
    fields = {"file_path": str(ada.worker.cwd / "src/a"), "old_string": secret, "new_string": secret}
    allowed(ada.hook("PreToolUse", tool_name="Edit", tool_input=fields))
    allowed(ada.about_to_run(f"echo {secret} > src/b"))
    allowed(ada.hook("UserPromptSubmit", prompt=secret))
    sent = line.sent
    assert b"src/a" in sent and b"src/b" in sent and secret.encode() not in sent


# --- the policies -------------------------------------------------------------------------------------------


def test_under_strict_what_was_not_claimed_is_refused_until_it_is(ada: Session, place: Place) -> None:
    place.set_policy(guard_policy="strict")
    ada.start()
    assert "interlock claim src/a" in refused(ada.edit("src/a"))
    ada.worker.interlock("claim", "src/a", check=0)
    allowed(ada.edit("src/a"))


def test_under_observe_nothing_is_refused_and_all_is_told(ada: Session, ben: Session, place: Place) -> None:
    place.set_policy(guard_policy="observe")
    ada.start()
    ada.worker.interlock("claim", "src/a", check=0)
    assert "src/a is held by" in allowed(ben.edit("src/a"))


# --- a session's life ---------------------------------------------------------------------------------------


def test_a_session_that_ends_gives_back_what_it_held(ada: Session, ben: Session) -> None:
    ada.start()
    allowed(ada.edit("src/a"))
    refused(ben.edit("src/a"))
    ada.end("prompt_input_exit")
    allowed(ben.edit("src/a"))


def test_news_come_with_the_next_prompt_as_data(ada: Session, ben: Session) -> None:
    ada.start()
    ben.start()
    handle = next(word for word in allowed(ada.start("compact")).replace(":", " ").split() if word.startswith("ins_"))
    ben.worker.interlock("say", handle.partition(".")[0], "the build is broken", check=0)
    told = allowed(ada.prompt())
    assert "“the build is broken”" in told
    assert "the build is broken" not in allowed(ada.prompt())


def test_what_a_command_wrote_unseen_is_told_afterwards_once(ada: Session, repo: Repo) -> None:
    repo.write("old-dirt", "x")
    ada.start()
    allowed(ada.about_to_run("python3 generate.py"))
    repo.write("src/made", "x")
    told = allowed(ada.has_run("python3 generate.py"))
    assert "src/made changed without a claim" in told and "old-dirt" not in told
    allowed(ada.about_to_run("python3 other.py"))
    assert allowed(ada.has_run("python3 other.py")) == ""
    allowed(ada.about_to_run("python3 generate.py"))
    (repo.path / "src/b").unlink()
    assert "src/b changed without a claim" in allowed(ada.has_run("python3 generate.py"))


def test_what_a_command_wrote_on_claimed_ground_is_no_news(ada: Session, repo: Repo) -> None:
    ada.start()
    ada.worker.interlock("claim", "src", check=0)
    allowed(ada.about_to_run("python3 generate.py"))
    repo.write("src/made", "x")
    assert allowed(ada.has_run("python3 generate.py")) == ""


def test_the_work_of_another_session_is_not_taken_for_ones_own(ada: Session, ben: Session, repo: Repo) -> None:
    ada.start()
    ben.start()
    allowed(ben.edit("src/b"))
    allowed(ada.about_to_run("python3 generate.py"))
    repo.write("src/b", "ben's")
    assert allowed(ada.has_run("python3 generate.py")) == ""


# --- being wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", ["", "{", "[]", "null", '{"session_id": 1}', '{"hook_event_name": "Notification"}'])
def test_a_payload_that_is_none_ends_in_one_line_and_refuses_nothing(ada: Session, payload: str) -> None:
    done = ada.worker.run(*COMMAND, "hook", "claude-code", stdin=payload)
    assert done.code == 0 and done.out == ""
    assert done.err.startswith("interlock hook: ") and done.err.count("\n") == 1


def test_wrong_use_does_not_end_as_a_refusal_does(ada: Session) -> None:
    for arguments in ([], ["emacs"], ["claude-code", "PreToolUse", "more"]):
        done = ada.worker.run(*COMMAND, "hook", *arguments, stdin="{}")
        assert done.code == 1 and "claude-code" in done.err


def test_a_checkout_that_is_not_wired_is_left_alone_and_says_so_once(ada: Session, tmp_path: Path) -> None:
    other = Repo.make(tmp_path / "other")
    assert "interlock init" in allowed(ada.start(cwd=other.path))
    assert ada.edit("x", cwd=other.path).out == ""
    assert ada.edit("x", cwd=tmp_path).out == ""


def test_a_target_in_another_wired_repository_is_judged_there(
    ada: Session, ben: Session, place: Place, tmp_path: Path, repo: Repo
) -> None:
    other = wire(Repo.make(tmp_path / "other"), place, _url(repo), place.token())
    other.write("x", "x")
    ada.start()
    allowed(ada.edit(other.path / "x"))
    assert "x is held by" in refused(ben.edit(other.path / "x"))
    # The project has one repository, so the same name is the same ground.
    assert "x is held by" in refused(ben.edit("x"))


def _url(repo: Repo) -> str:
    text = (repo.path / ".interlock/local.env").read_text()
    return next(line.partition("=")[2] for line in text.splitlines() if line.startswith("INTERLOCK_URL"))

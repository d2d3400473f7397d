"""Claude Code: one session is one run, by every door, through all that people do with sessions."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.gitting import Repo
from tests.agent.working import Session, Worker, allowed, refused
from tests.identity.conftest import Ledger
from tests.identity.rows import row

Start = Callable[..., Worker]


@pytest.fixture
def one(process: Start) -> Session:
    session = Session(process(), "session-one")
    session.start()
    return session


@row("cc-start")
def test_hook_command_tool_and_commit_of_a_session_are_one_run(one: Session, ledger: Ledger) -> None:
    assert len(ledger.by_all(one)) == 1


@row("cc-two", "cc-token")
def test_two_sessions_in_one_checkout_with_one_token_are_two_runs(one: Session, process: Start, ledger: Ledger) -> None:
    two = Session(process(), "session-two")
    two.start()
    first, second = ledger.by_all(one), ledger.by_all(two)
    assert len(first) == len(second) == 1 and first != second
    allowed(one.edit("a"))
    refused(two.edit("a"))
    assert two.worker.interlock("claim", "a").code == 1
    assert two.worker.mcp("claim", paths=["a"])["code"] == "claim_conflict"


@row("cc-resume")
def test_a_session_that_is_resumed_later_has_its_ground_back(one: Session, process: Start, ledger: Ledger) -> None:
    before = ledger.by_hook(one)
    allowed(one.edit("a"))
    one.worker.__exit__()  # killed: its end is never told
    other = Session(process(), "session-other")
    refused(other.edit("a"))
    again = Session(process(), one.id)
    again.start("resume")
    assert ledger.by_all(again) == {before}
    allowed(again.edit("a"))


@row("cc-fork")
def test_a_fork_is_a_run_of_its_own(one: Session, process: Start, ledger: Ledger) -> None:
    allowed(one.edit("a"))
    fork = Session(process(), "session-forked")
    fork.start("fork")
    assert ledger.by_all(fork).isdisjoint(ledger.by_all(one))
    refused(fork.edit("a"))


@row("cc-twice")
def test_of_two_copies_of_a_session_the_older_one_may_do_nothing_more(one: Session, process: Start) -> None:
    allowed(one.edit("a"))
    copy = Session(process(), one.id)
    copy.start("resume")
    allowed(copy.edit("a"))
    assert "newer copy" in refused(one.edit("a"))
    assert one.worker.interlock("claim", "b").code == 1
    assert one.worker.mcp("claim", paths=["b"])["code"] == "instance_superseded"
    allowed(copy.edit("b"))
    # And it does not fight its way back.
    refused(one.edit("a"))
    allowed(copy.edit("a"))


@row("cc-compact")
def test_a_compacted_session_goes_on_as_it_was(one: Session, ledger: Ledger) -> None:
    before = ledger.by_all(one)
    allowed(one.edit("a"))
    one.start("compact")
    assert ledger.by_all(one) == before
    allowed(one.edit("a"))


@row("cc-clear")
@pytest.mark.parametrize("heard", [True, False], ids=["told of the start", "not told"])
def test_after_a_clear_the_new_session_goes_on_with_the_old_ones_ground(
    heard: bool, one: Session, process: Start, ledger: Ledger
) -> None:
    # Some versions begin a new session at a clear without a word: then its first edit is the first that is heard.
    allowed(one.edit("a"))
    before = ledger.by_command(one.worker)
    next_one = Session(one.worker, "session-cleared")
    if heard:
        one.end("clear")
        next_one.start("clear")
    allowed(next_one.edit("a"))
    after = ledger.by_all(next_one)
    assert len(after) == 1 and after != {before}
    refused(Session(process(), "session-other").edit("a"))
    next_one.end("prompt_input_exit")
    allowed(Session(process(), "session-third").edit("a"))


@row("cc-switch")
def test_another_session_resumed_in_the_same_process_is_another_run(one: Session, ledger: Ledger) -> None:
    allowed(one.edit("a"))
    first = ledger.by_command(one.worker)
    other = Session(one.worker, "session-other")
    one.end("resume")
    other.start("resume")
    assert first not in ledger.by_all(other)
    refused(other.edit("a"))
    other.end("resume")
    one.start("resume")
    assert ledger.by_all(one) == {first}


@row("cc-subagent")
def test_a_subagent_is_its_session(one: Session, ledger: Ledger, repo: Repo) -> None:
    allowed(one.edit("a"))
    before = ledger.by_command(one.worker)
    name = ledger.name()
    fields = {"file_path": str(repo.path / name), "content": "x"}
    said = {"agent_id": "a1", "agent_type": "Explore"}
    allowed(one.hook("PreToolUse", tool_name="Write", tool_input=fields, **said))
    assert ledger.granted_to(name) == before
    one.hook("SubagentStop", **said)
    assert ledger.by_all(one) == {before}


@row("cc-worktree")
def test_a_session_that_steps_into_another_worktree_stays_itself(
    one: Session, process: Start, ledger: Ledger, repo: Repo, tmp_path: Path
) -> None:
    before = ledger.by_all(one)
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert ledger.by_all(one, cwd=tmp_path / "side") == before
    other = Session(process(cwd=tmp_path / "side"), "session-there")
    other.start()
    assert ledger.by_all(other).isdisjoint(before)
    allowed(one.edit("a"))
    refused(other.edit("a"))


@row("cc-nested")
def test_a_session_started_from_a_sessions_shell_is_its_own(one: Session, process: Start, ledger: Ledger) -> None:
    outer = ledger.by_all(one, CLAUDE_CODE_SESSION_ID=one.id)
    # What it inherits of the outer session's environment does not make it that session.
    inner = Session(process(CLAUDE_CODE_SESSION_ID=one.id), "session-inner")
    inner.start()
    found = ledger.by_all(inner)
    assert len(found) == 1 and found != outer
    allowed(one.edit("a"))
    refused(inner.edit("a"))


@row("cc-late")
def test_a_run_that_tools_began_before_the_first_hook_is_the_same_holder(
    process: Start, ledger: Ledger, repo: Repo
) -> None:
    worker = process()
    worker.mcp("claim", paths=["a"])
    session = Session(worker, "session-late")
    allowed(session.edit("a"))
    assert len(ledger.by_all(session)) == 1
    refused(Session(process(), "session-other").edit("a"))


@row("cc-end")
def test_a_session_that_ends_leaves_nothing_of_its_run_behind(one: Session, ledger: Ledger, repo: Repo) -> None:
    before = ledger.by_all(one)
    one.end("prompt_input_exit")
    assert list((repo.path / ".interlock/runs").glob("*.json")) == []
    assert ledger.by_git(one.worker) == ""
    assert ledger.by_command(one.worker) not in before

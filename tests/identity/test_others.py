"""Codex, Cursor and Gemini: one session is one run, also where one process hosts several."""

from collections.abc import Callable
from pathlib import Path

from tests.agent.gitting import Repo
from tests.agent.working import Session, Worker
from tests.identity.conftest import Ledger, write
from tests.identity.rows import row

Start = Callable[..., Worker]


def codex(worker: Worker, thread: str) -> Session:
    session = Session(worker, thread, "codex")
    session.start()
    return session


def cursor(worker: Worker, conversation: str) -> Session:
    session = Session(worker, conversation, "cursor")
    roots = [str(worker.cwd)]
    session.hook("sessionStart", conversation_id=conversation, workspace_roots=roots)
    return session


def gemini(worker: Worker, thread: str, source: str = "startup") -> Session:
    session = Session(worker, thread, "gemini")
    session.start(source)
    return session


# --- Codex --------------------------------------------------------------------------------------------------


@row("cx-start")
def test_a_codex_session_is_one_run_by_every_door(process: Start, ledger: Ledger) -> None:
    first, second = codex(process("codex"), "thread-1"), codex(process("codex"), "thread-2")
    one, two = ledger.by_all(first), ledger.by_all(second)
    assert len(one) == len(two) == 1 and one != two
    assert write(first, "a").code == 0
    assert write(second, "a").code == 2


@row("cx-resume", "cx-fork")
def test_a_resumed_thread_is_the_same_run_and_a_forked_one_another(process: Start, ledger: Ledger) -> None:
    first = codex(process("codex"), "thread-1")
    before = ledger.by_hook(first)
    first.worker.__exit__()
    again = Session(process("codex"), "thread-1", "codex")
    again.start("resume")
    assert ledger.by_all(again) == {before}
    fork = codex(process("codex"), "thread-forked")
    assert before not in ledger.by_all(fork)


@row("cx-threads")
def test_threads_of_one_server_process_are_told_apart_by_what_their_shells_are_told(
    process: Start, ledger: Ledger
) -> None:
    worker = process("codex")
    first, second = codex(worker, "thread-1"), codex(worker, "thread-2")
    one, two = ledger.by_hook(first), ledger.by_hook(second)
    assert one != two
    for run, thread in ((one, "thread-1"), (two, "thread-2")):
        assert ledger.by_command(worker, CODEX_THREAD_ID=thread) == run
        assert ledger.by_git(worker, CODEX_THREAD_ID=thread) == run
    # Without that nobody guesses: a command asks which one, a commit has no run, a tool is told to name its handle.
    told = worker.interlock("claim", "b")
    assert told.code == 2 and "INTERLOCK_INSTANCE" in told.err
    assert ledger.by_git(worker) == ""


@row("cx-subagent")
def test_a_subagent_of_codex_is_its_session_or_its_child(process: Start, ledger: Ledger) -> None:
    worker = process("codex")
    first = codex(worker, "thread-1")
    assert write(first, "a").code == 0
    # Its hooks carry the session's id; those of versions that sent the thread's own name the parent.
    child = Session(worker, "thread-child", "codex")
    child.start(parent_session_id="thread-1")
    assert write(child, "a").code == 0
    other = codex(process("codex"), "thread-other")
    assert write(other, "a").code == 2


@row("cx-nested")
def test_codex_started_from_codex_is_its_own_run(process: Start, ledger: Ledger) -> None:
    outer = codex(process("codex"), "thread-1")
    assert write(outer, "a").code == 0
    inner = codex(process("codex", CODEX_THREAD_ID="thread-1"), "thread-inner")
    assert len(ledger.by_all(inner)) == 1
    assert write(inner, "a").code == 2


# --- Cursor -------------------------------------------------------------------------------------------------


@row("cu-start")
def test_a_conversation_in_an_editor_is_one_run_by_every_door(process: Start, ledger: Ledger) -> None:
    session = cursor(process("cursor", CURSOR_AGENT="1"), "conversation-1")
    assert len(ledger.by_all(session)) == 1


@row("cu-two")
def test_conversations_of_one_window_are_told_apart_or_not_guessed(process: Start, ledger: Ledger) -> None:
    worker = process("cursor", CURSOR_AGENT="1")
    first, second = cursor(worker, "conversation-1"), cursor(worker, "conversation-2")
    one, two = ledger.by_hook(first), ledger.by_hook(second)
    assert one != two
    assert write(first, "a").code == 0
    assert write(second, "a").code == 2
    assert ledger.by_command(worker, CURSOR_CONVERSATION_ID="conversation-2") == two
    assert "INTERLOCK_INSTANCE" in worker.interlock("claim", "b").err


@row("cu-person")
def test_a_person_in_the_editors_terminal_is_not_its_agent(process: Start, ledger: Ledger) -> None:
    worker = process("cursor")
    session = cursor(worker, "conversation-1")
    assert write(session, "a").code == 0
    assert ledger.by_git(worker) == ""
    done = worker.interlock("claim", "a")
    assert done.code == 1 and "held by" in done.out


@row("cu-cli")
def test_the_editors_command_line_agent_is_one_run(process: Start, ledger: Ledger) -> None:
    session = cursor(process("cursor-agent"), "conversation-1")
    assert len(ledger.by_all(session)) == 1


# --- Gemini -------------------------------------------------------------------------------------------------


@row("ge-start")
def test_a_gemini_session_is_one_run_by_every_door(process: Start, ledger: Ledger) -> None:
    first, second = gemini(process("node"), "session-1"), gemini(process("node"), "session-2")
    one, two = ledger.by_all(first), ledger.by_all(second)
    assert len(one) == len(two) == 1 and one != two


@row("ge-resume", "ge-clear")
def test_a_gemini_session_is_resumed_and_cleared(process: Start, ledger: Ledger, repo: Repo, tmp_path: Path) -> None:
    first = gemini(process("node"), "session-1")
    before = ledger.by_hook(first)
    first.worker.__exit__()
    worker = process("node")
    again = gemini(worker, "session-1", "resume")
    assert ledger.by_all(again) == {before}
    assert write(again, "a").code == 0
    again.end("clear")
    cleared = gemini(worker, "session-2", "clear")
    assert write(cleared, "a").code == 0
    assert len(ledger.by_all(cleared)) == 1

"""What a hook call costs, counted: connections, processes and imports, never the clock. And when the cache ends."""

import json
import os
import sys
from pathlib import Path

import pytest

from mcp_gateway.agent.hooks import dirt, memory
from tests.agent.gitting import Repo
from tests.agent.wire import Wire
from tests.agent.working import COMMAND, Done, Session, allowed, refused

# What asking the server takes, and what no hook call needs.
_DEAR = {"http", "http.client", "ssl", "socket", "subprocess", "tempfile", "urllib.request", "email"}
_NEVER = {"argparse", "asyncio", "inspect.getsource", "django", "unittest", "pydantic"}


def imported(session: Session, path: str) -> set[str]:
    """The modules that one hook call about a path imports."""
    payload = {
        "session_id": session.id,
        "hook_event_name": "PreToolUse",
        "cwd": str(session.worker.cwd),
        "tool_name": "Edit",
        "tool_input": {"file_path": path},
    }
    command = [sys.executable, "-X", "importtime", *COMMAND[1:], "hook", session.client]
    done = session.worker.run(*command, stdin=json.dumps(payload), check=0)
    return {line.rpartition("|")[2].strip() for line in done.err.splitlines() if line.startswith("import time:")}


def test_a_path_found_covered_a_moment_ago_costs_no_connection_and_none_of_what_that_takes(
    ada: Session, line: Wire
) -> None:
    ada.start()
    path = str(ada.worker.cwd / "src/a")
    first = imported(ada, path)
    assert first >= {"http.client", "subprocess"}
    with line.counted() as number:
        second = imported(ada, path)
        allowed(ada.edit("src/a"))
        allowed(ada.about_to_run("echo x >> src/a"))
    assert number == [0]
    assert second & (_DEAR | _NEVER) == set()
    assert first & _NEVER == set()


def test_an_edit_that_has_to_be_asked_about_costs_one_connection(ada: Session, line: Wire) -> None:
    ada.start()
    with line.counted() as number:
        allowed(ada.edit("src/a"))
    assert number == [1]
    files = " ".join(f"src/new{number}" for number in range(30))
    with line.counted() as number:
        allowed(ada.about_to_run(f"touch {files}"))
    assert number == [1]


def test_reading_costs_nothing_and_a_turn_costs_one_connection(ada: Session, line: Wire) -> None:
    ada.start()
    with line.counted() as number:
        allowed(ada.about_to_run("cat src/a | grep a"))
        allowed(ada.has_run("cat src/a | grep a"))
        allowed(ada.hook("PostToolUse", tool_name="Edit", tool_input={"file_path": "src/a"}, tool_response={}))
    assert number == [0]
    with line.counted() as number:
        ada.hook("Stop")
    assert number == [1]


# --- the end of the cache -----------------------------------------------------------------------------------


def cached(session: Session, line: Wire, path: str = "src/a") -> tuple[bool, Done]:
    """Whether an edit is answered without asking, and the answer."""
    with line.counted() as number:
        done = session.edit(path)
    return number == [0], done


def test_what_was_released_is_asked_about_again(ada: Session, line: Wire) -> None:
    ada.start()
    allowed(ada.edit("src/a"))
    assert cached(ada, line)[0]
    ada.worker.interlock("release", "--all", check=0)
    assert not cached(ada, line)[0]


def test_after_a_denial_everything_is_asked_about_again(ada: Session, ben: Session, line: Wire) -> None:
    ada.start()
    allowed(ada.edit("src/a"))
    allowed(ben.edit("src/b"))
    refused(ada.edit("src/b"))
    assert not cached(ada, line)[0]


def test_a_session_that_begins_anew_asks_anew(ada: Session, line: Wire) -> None:
    ada.start()
    allowed(ada.edit("src/a"))
    ada.start("compact")
    assert not cached(ada, line)[0]


def test_another_session_has_a_cache_of_its_own(ada: Session, ben: Session, line: Wire) -> None:
    ada.start()
    allowed(ada.edit("src/a"))
    known, done = cached(ben, line)
    assert not known and "src/a is held" in refused(done)


def test_a_claim_that_is_about_to_end_is_not_remembered(ada: Session, line: Wire) -> None:
    ada.start()
    ada.worker.interlock("claim", "src/a", "--ttl", "2s")
    allowed(ada.edit("src/a"))
    assert not cached(ada, line)[0]


def test_a_memory_lasts_as_long_as_it_was_told_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(memory.time, "time", lambda: now)
    kept = memory.Memory(tmp_path, "claude-code", "s")
    kept.cover("ins_a", ["x"], 15)
    kept.cover("ins_a", ["y"], 10_000)
    kept.save()

    def covers(path: str) -> bool:
        return memory.Memory(tmp_path, "claude-code", "s").covers([path])

    assert covers("x") and covers("y") and not covers("z")
    now = 1016.0
    assert not covers("x") and covers("y")
    now = 1061.0
    assert not covers("y")
    now = 10.0  # a clock that was set back
    assert not covers("y")


def test_a_memory_that_is_not_there_or_broken_covers_nothing(tmp_path: Path) -> None:
    kept = memory.Memory(tmp_path, "claude-code", "s")
    assert not kept.covers(["x"])
    for text in (b"", b"\xff", b"[]", b'{"paths": 3}'):
        kept.file.write_bytes(text)
        assert not memory.Memory(tmp_path, "claude-code", "s").covers(["x"])


def test_another_runs_paths_are_forgotten(tmp_path: Path) -> None:
    kept = memory.Memory(tmp_path, "claude-code", "s")
    kept.cover("ins_a", ["x"], 15)
    kept.cover("ins_b", ["y"], 15)
    assert kept.covers(["y"]) and not kept.covers(["x"])


# --- looking at the checkout --------------------------------------------------------------------------------


def test_a_repository_where_looking_takes_too_long_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A git that never answers: it waits for somebody to write into a pipe.
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "git").write_text(f"#!/bin/sh\nexec cat {tmp_path}/pipe\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(dirt, "SECONDS", 0.05)
    assert dirt.look(tmp_path) is None


def test_a_checkout_with_very_much_changed_is_read_as_far_as_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Repo.make(tmp_path / "app")
    for number in range(100):
        repo.write(f"file-{number:03}", "x")
    monkeypatch.setattr(dirt, "MOST_BYTES", 200)
    found = dirt.look(repo.path)
    assert found is not None and 5 < len(found) < 30


def test_what_changed_before_is_no_news(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path / "app")
    repo.write("old", "x")
    before = dirt.look(repo.path)
    assert before is not None
    repo.write("new", "x")
    now = dirt.look(repo.path)
    assert now is not None
    moment = now["new"][0]
    assert dirt.changed(before, now, moment) == ["new"]
    assert dirt.changed(before, now, moment + 3 * 10**9) == []

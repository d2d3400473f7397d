"""Which process a session is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_gateway.agent import processes
from mcp_gateway.agent.process import Process
from mcp_gateway.agent.processes import Kind, alive, ancestors, kind, owner, parse_ps, reachable, session


def chain(*names: str) -> list[Process]:
    """Processes by these names, nearest first."""
    return [Process(100 - at, str(at), name) for at, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("bash", "claude", "zsh", "tmux: server"), "claude"),
        (("sh", "timeout", "env", "codex", "fish", "gnome-terminal-"), "codex"),
        (("interlock", "sh", "git", "bash", "claude"), "claude"),
        (("python3", "bash", "claude"), "python3"),  # a program that we do not know may run agents
        (("zsh", "tmux: server", "systemd"), "zsh"),
        (("bash", "make", "zsh", "code", "systemd"), "zsh"),  # the outermost shell is the person's window
        (("cmd.exe", "claude.exe", "explorer.exe"), "claude.exe"),
        (("-zsh", "login", "Terminal", "launchd"), "-zsh"),
        (("bash", "tini"), "bash"),
        (("systemd",), "systemd"),
    ],
)
def test_the_owner_is_the_nearest_program_that_is_no_shell_and_no_wrapper(
    names: tuple[str, ...], expected: str
) -> None:
    found = owner(chain(*names))
    assert found is not None and found.name == expected


def test_nothing_is_owned_where_nothing_is_known() -> None:
    assert owner([]) is None


def test_a_script_that_a_known_agent_started_acts_for_it_and_no_further() -> None:
    assert [p.name for p in reachable(chain("bash", "node", "bash", "claude", "zsh", "codex"))][-2:] == [
        "node",
        "claude",
    ]
    assert [p.name for p in reachable(chain("bash", "codex", "bash", "claude"))] == ["bash", "codex"]
    # Two programs under a third that is not known for running agents are two sessions.
    assert [p.name for p in reachable(chain("bash", "one", "python3"))] == ["bash", "one"]
    # What somebody's window ran before does not become a program's that is started from it.
    assert [p.name for p in reachable(chain("bash", "mytool", "zsh", "tmux"))] == ["bash", "mytool"]


def test_what_git_started_is_no_session() -> None:
    names = ("sh", "node", "sh", "git", "bash", "claude")
    assert [p.name for p in session(chain(*names))] == ["bash", "claude"]
    assert [p.name for p in session(chain("bash", "claude", "git"))] == ["bash", "claude", "git"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no sh")
def test_real_ancestors_are_told_with_their_start(tmp_path: Path) -> None:
    script = (
        "import json; from mcp_gateway.agent.processes import ancestors; print([(p.pid, p.name) for p in ancestors()])"
    )
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -c "{script}"; true'], capture_output=True, text=True, check=True
    )
    told = eval(done.stdout)
    assert told[0][1] in ("sh", "dash", "bash")
    assert told[1][0] == os.getpid()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_ps_tells_the_same_ancestors_as_proc() -> None:
    rows = processes._ps()
    if not rows:
        pytest.skip("there is no ps")
    assert [p.pid for p in processes._from_ps(os.getpid())] == [p.pid for p in ancestors()]


def test_the_table_of_ps_may_have_names_with_spaces() -> None:
    text = "  501     1 Fri Nov 20 13:55:35 2026 /Applications/Cursor.app/Contents/Cursor Helper (Plugin)\nbad line\n"
    assert parse_ps(text) == {501: (1, Process(501, "Fri Nov 20 13:55:35 2026", "Cursor Helper (Plugin)"))}
    assert kind(parse_ps(text)[501][1]) is Kind.TERMINAL


def test_a_process_id_that_was_used_again_is_another_process() -> None:
    me = ancestors()[0]
    assert alive(me)
    assert not alive(Process(me.pid, "some other time", me.name))
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    assert not alive(Process(ended.pid, "1", "python"))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_a_name_may_hold_what_the_table_separates_by(tmp_path: Path) -> None:
    odd = tmp_path / "a) b (c"
    odd.symlink_to(sys.executable)
    done = subprocess.run(
        ["sh", "-c", f"exec '{odd}' -c 'print(open(\"/proc/self/stat\").read())'"], check=True, capture_output=True
    )
    assert b"(a) b (c)" in done.stdout
    child = subprocess.Popen([str(odd), "-c", "input()"], stdin=subprocess.PIPE)
    try:
        row = processes._read_stat(child.pid)
        assert row is not None and row[0] == os.getpid() and row[1].started.isdecimal()
    finally:
        child.communicate(b"\n")

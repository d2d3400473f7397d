"""The command as it is typed: what it answers, and how it ends, whatever is asked of it."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_gateway.agent import VERSION, cli
from tests.agent.desk import COMMAND, ROOT, environment, repository, wire


def call(*arguments: str, at: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run `interlock` once."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=at, env=environment(**env), capture_output=True, text=True, timeout=60
    )


def test_without_arguments_it_lists_every_command_in_one_line(tmp_path: Path) -> None:
    for arguments in ((), ("--help",), ("-h",), ("help",)):
        done = call(*arguments, at=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        for name, entry in cli.COMMANDS.items():
            assert (f"  {name:<11} {entry.help}\n" in done.stdout) == bool(entry.group)
        assert max(map(len, done.stdout.splitlines())) <= 110


def test_the_version_is_the_projects() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()
    assert call("--version", at=ROOT).stdout == f"interlock {VERSION}\n"


@pytest.mark.parametrize("name", [name for name, entry in cli.COMMANDS.items() if entry.group])
def test_each_command_says_in_its_help_what_the_list_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    entry = cli.COMMANDS[name]
    module = importlib.import_module(f"mcp_gateway.agent.commands.{entry.module}")
    assert entry.help == module.HELP
    assert cli.main(["help", name]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: interlock {name}")
    assert ("--json" in told) == entry.answers


def test_only_the_module_of_the_command_is_loaded(tmp_path: Path) -> None:
    script = (
        "import sys; from mcp_gateway.agent.cli import main; main(['help', 'roster']);"
        "print([n for n in sys.modules if '.commands.' in n])"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['mcp_gateway.agent.commands.roster']"


@pytest.mark.parametrize(("typed", "meant"), [("clam", "claim"), ("relese", "release"), ("rooster", "roster")])
def test_a_mistyped_command_is_met_with_a_suggestion(tmp_path: Path, typed: str, meant: str) -> None:
    done = call(typed, at=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Did you mean {meant}" in done.stderr and "interlock --help" in done.stderr


@pytest.mark.parametrize("arguments", [("claim",), ("claim", "a", "--mode", "greedy"), ("status", "--nope"), ("say",)])
def test_wrong_use_is_2_and_says_how(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = call(*arguments, at=tmp_path)
    assert done.returncode == 2
    assert done.stdout == "" and f"usage: interlock {arguments[0]}" in done.stderr


def test_without_settings_it_is_3_and_says_how_to_get_them(tmp_path: Path) -> None:
    done = call("status", at=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "interlock: INTERLOCK_URL is not set. Run `interlock init`, or set it in the environment.\n"


def test_a_server_that_is_away_is_3(tmp_path: Path, free_port: int) -> None:
    app = repository(tmp_path / "app")
    wire(app, f"http://127.0.0.1:{free_port}", "ilk_agent_abcdefgh", "acme/web")
    done = call("claim", "README.md", at=app)
    assert done.returncode == 3
    assert f"http://127.0.0.1:{free_port} cannot be reached: Connection refused" in done.stderr
    assert "interlock doctor" in done.stderr and "Traceback" not in done.stderr and "abcdefgh" not in done.stderr


def test_a_token_that_is_not_known_is_3_and_not_repeated(tmp_path: Path, web, place) -> None:
    app = repository(tmp_path / "app")
    wire(app, web.url, "ilk_agent_abcdefgh", f"{place.slug}/main")
    done = call("status", at=app)
    assert done.returncode == 3
    assert "token" in done.stderr and "abcdefgh" not in done.stderr


def test_a_permission_that_is_missing_is_3_and_named(tmp_path: Path, web, place) -> None:
    app = repository(tmp_path / "app")
    wire(app, web.url, place.token(preset="reader"), f"{place.slug}/main")
    done = call("claim", "README.md", at=app)
    assert done.returncode == 3
    assert "coordinate" in done.stderr


def test_another_teams_project_is_told_as_not_there(tmp_path: Path, web, place) -> None:
    app = repository(tmp_path / "app")
    wire(app, web.url, place.token(), f"{place.slug}/other")
    done = call("status", at=app)
    assert done.returncode == 2 and "project" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
def test_an_interrupt_ends_it_quietly(checkout: Path) -> None:
    running = subprocess.Popen(
        [*COMMAND, "inbox", "--wait", "10m"],
        cwd=checkout,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(checkout.glob(".interlock/runs/*.json")):  # it has registered, and waits from then on
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (130, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGPIPE")
def test_a_reader_that_goes_away_is_no_trouble(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*COMMAND, "--help"], stdout=write, stderr=subprocess.PIPE, env=environment(), text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_colours_are_for_terminals_only(tmp_path: Path) -> None:
    assert "\x1b" not in call("--help", at=tmp_path).stdout
    if sys.platform == "win32":
        return
    import pty

    for env, coloured in (({"NO_COLOR": "1"}, False), ({"NO_COLOR": "", "TERM": "xterm"}, True)):
        mine, theirs = pty.openpty()
        subprocess.run([*COMMAND, "--help"], stdout=theirs, env=environment(**env), check=True)
        os.close(theirs)
        assert (b"\x1b[1mGround" in os.read(mine, 10_000)) is coloured
        os.close(mine)


def test_what_others_wrote_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from mcp_gateway.agent import output

    output.say("a\x1b[2Jb\u202ec\x07d\u2028e\tf — ü")
    assert capsys.readouterr().out == "a\ufffd[2Jb\ufffdc\ufffdd\ufffde\tf — ü\n"


def test_json_is_one_document(checkout: Path) -> None:
    done = call("status", "--json", at=checkout)
    assert json.loads(done.stdout)["run"] is None

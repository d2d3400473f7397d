"""``interlock init`` finds out where a repository belongs, and says what it cannot find out."""

import os
import subprocess
import sys

import pytest

from mcp_gateway.agent.wiring.remotes import normalise
from tenants.problems import Problem
from tenants.remotes import remote_normalise
from tests.agent.wiring import SYSTEM, git, init, program, snapshot


@pytest.mark.parametrize(
    "remote",
    [
        "git@github.com:Acme/Shop.git", "https://user:pw@github.com/acme/shop/", "ssh://git@host:2222/a//b.git",
        "ssh://git@host:22/a", "host/a/b", "git://[::1]/x", "https://h/%61", "../other", "/srv/x.git", "C:/x", "~/x",
        "file:///x", "", "git@host:", "https://h/a/../b", "host.example:8443/x",
    ],
)  # fmt: skip
def test_remotes_are_spelled_as_the_server_spells_them(remote):
    try:
        expected = remote_normalise(remote)
    except Problem:
        expected = ""
    assert normalise(remote) == expected


def test_the_repository_is_found_by_its_remote(zoe, alice, top, place):
    shop = {"slug": "shop", "remote": "github.com/acme/shop"}
    assert alice.post("P/repositories", shop).status_code == 201
    git("remote", "add", "origin", "git@github.com:Acme/Shop.git", at=top)
    done = init(zoe, "--tool", "claude")
    assert done.code == 0 and "shop, by its remote github.com/acme/shop" in done.out
    assert "INTERLOCK_REPOSITORY=shop" in (top / ".interlock/local.env").read_text()


def test_a_remote_that_nobody_knows_is_asked_about(zoe, alice, top, place):
    assert alice.patch("P/repositories/main", {"remote": "github.com/acme/shop"}).status_code == 200
    git("remote", "add", "origin", "https://github.com/acme/other.git", at=top)
    before = snapshot(top)
    done = init(zoe, "--tool", "claude")
    assert done.code == 2 and snapshot(top) == before
    assert (
        "github.com/acme/other" in done.err
        and "--repository" in done.err
        and "main  (github.com/acme/shop)" in done.err
    )
    assert init(zoe, "--tool", "claude", "--repository", "main").code == 0
    assert init(zoe, "--tool", "claude").code == 0, "the choice is kept"


def test_several_projects_are_asked_about(zoe, alice, top, place):
    assert (
        alice.post("T/projects", json={"slug": "second", "name": "Second", "repository": "second"}).status_code == 201
    )
    done = init(zoe, "--tool", "claude")
    assert done.code == 2 and "--project" in done.err and "second" in done.err
    assert init(zoe, "--tool", "claude", "--project", f"{place.slug}/second").code == 0
    assert init(zoe, "--tool", "claude", "--project", "nowhere").code == 2
    assert "of the team" in init(zoe, "--tool", "claude", "--project", "other/main").err


@pytest.mark.parametrize(
    ("arguments", "env", "code", "said"),
    [
        ((), {"INTERLOCK_TOKEN": "ilk_agent_nobody"}, 3, "does not take this token"),
        ((), {"INTERLOCK_URL": "http://127.0.0.1:9"}, 3, "cannot be reached"),
        (("--url", "localhost"), {}, 2, "https://host"),
        (("--url", "https://interlock.example"), {}, 2, "https://host"),
        ((), {"INTERLOCK_TOKEN": "${INTERLOCK_TOKEN}"}, 2, "--token"),
        (("--token", "set-me"), {}, 2, "That is no token"),
        ((), {"INTERLOCK_URL": ""}, 2, "--url"),
    ],
)
def test_what_is_missing_or_wrong_is_said_and_nothing_is_written(zoe, top, arguments, env, code, said):
    before = snapshot(top)
    done = init(zoe, "--tool", "claude", *arguments, **env)
    assert (done.code, said in done.err) == (code, True), done.err
    assert snapshot(top) == before
    assert env.get("INTERLOCK_TOKEN", "§") not in done.err or env.get("INTERLOCK_TOKEN") == ""


def test_outside_of_a_repository_it_says_so(zoe, tmp_path):
    done = init(zoe, "--tool", "claude", at=tmp_path)
    assert done.code == 2 and "git init" in done.err


def test_tools_are_found_by_what_is_there(zoe, top, tmp_path):
    assert "--tool" in init(zoe).err
    (top / ".cursor").mkdir()
    program(tmp_path / "bin", "gemini", "exit 0")
    done = init(zoe, "--json")
    assert done.json["tools"] == ["cursor", "gemini"]


def test_a_token_that_may_only_read_and_a_missing_command_are_warned_about(zoe, place):
    done = init(zoe, "--tool", "claude", INTERLOCK_TOKEN=place.token(preset="reader"), PATH=SYSTEM)
    assert done.code == 0
    assert "lacks coordinate, verify" in done.out and "not on the PATH" in done.out


def test_a_name_that_runs_cannot_have_is_refused(zoe, top, place):
    assert "at most 80" in init(zoe, "--tool", "claude", "--agent", "no name").err
    bound = place.token(agent="ben")
    assert "bound to the agent ben" in init(zoe, "--tool", "claude", "--agent", "zoe", INTERLOCK_TOKEN=bound).err
    assert not (top / ".mcp.json").exists()
    assert init(zoe, "--tool", "claude", "--agent", "ben", INTERLOCK_TOKEN=bound).code == 0
    assert "INTERLOCK_AGENT=ben" in (top / ".interlock/local.env").read_text()


_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_on_a_terminal_it_asks_and_does_not_show_the_token(zoe, top, alice, token, web):
    assert alice.post("T/projects", {"slug": "second", "name": "Second", "repository": "web"}).status_code == 201
    env = zoe.env | {"INTERLOCK_URL": "", "INTERLOCK_TOKEN": ""}
    said = b""
    with subprocess.Popen(
        [sys.executable, "-c", _TERMINAL, *zoe.command, "init", "--tool", "claude"],
        cwd=top,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as asked:
        assert asked.stdin is not None and asked.stdout is not None
        for prompt, answer in ((b"address: ", web.url), (b"token: ", token), (b"1-2: ", "2")):
            while prompt not in said:
                piece = os.read(asked.stdout.fileno(), 4096)
                assert piece, said
                said += piece
            asked.stdin.write(answer.encode() + b"\n")
            asked.stdin.flush()
        said += asked.stdout.read()
    assert asked.returncode == 0, said
    assert b"/second, repository web" in said and token.encode() not in said
    assert token in (top / ".interlock/local.env").read_text()

"""``interlock doctor``: green after init; red for each broken link, with what to do; one link hides no other."""

import json
import os
import shutil
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcp_gateway.agent.doctor import base, checks, payloads
from mcp_gateway.agent.doctor.base import Check, Desk, State, fail, ok, visit, warn
from mcp_gateway.agent.wiring import githooks
from mcp_gateway.agent.wiring.tools import TOOLS
from tests.agent.desk import Done
from tests.agent.wiring import SYSTEM, git, init, program, snapshot


@pytest.fixture
def wired(zoe):
    """A session in a repository that is wired for Claude Code."""
    done = init(zoe, "--tool", "claude")
    assert done.code == 0, done.out + done.err
    return zoe


@pytest.fixture
def all_wired(zoe):
    """A session in a repository that is wired for all tools."""
    done = init(zoe, "--tool", "all")
    assert done.code == 0, done.out + done.err
    return zoe


def examined(session, **env: str) -> dict[str, dict[str, str]]:
    """The findings by id."""
    done: Done = session("doctor", "--json", env=env)
    assert "Traceback" not in done.err, done.err
    found = {each["id"]: each for each in done.json["checks"]}
    assert done.json["broken"] == any(each["state"] == "fail" for each in found.values())
    assert done.code == int(done.json["broken"])
    for each in found.values():
        assert bool(each["mend"]) == (each["state"] in ("warn", "fail")), each
    return found


def states(found: dict[str, dict[str, str]], state: str) -> set[str]:
    return {name for name, each in found.items() if each["state"] == state}


def test_everything_is_well_after_init(all_wired, top, alice):
    before = snapshot(top)
    found = examined(all_wired)
    assert states(found, "ok") == set(found), [each for each in found.values() if each["state"] != "ok"]
    assert {check.id for check in checks.ALL} == {name.partition(".")[0] for name in found}
    for tool in TOOLS.values():
        assert "refused the planted edit" in found[f"fires.{tool.name}"]["detail"]
    assert "sync" in found["mcp"]["detail"]
    # Nothing of the visit is left: no file, no run.
    after = snapshot(top)
    assert {name for name in after if not name.startswith(".interlock/runs/")} == set(before)
    assert alice.get("P/roster").json()["items"] == []


def test_a_session_that_asks_its_doctor_keeps_its_run_and_its_claims(wired):
    assert wired("claim", "README.md", "--reason", "mine").code == 0
    before = wired("status", "--json").json
    examined(wired)
    after = wired("status", "--json").json
    assert after["instance"]["id"] == before["instance"]["id"]
    assert "README.md" in wired("claims", "--mine").out


def test_people_read_lines_and_the_way_out(wired, top):
    (top / ".mcp.json").unlink()
    done = wired("doctor")
    assert done.code == 1
    assert "FAIL  MCP server (claude)" in done.out and "mend: interlock doctor --fix" in done.out
    assert "1 broken" in done.out


# --- each link, broken ---------------------------------------------------------------------------------------


def drop(path: str):
    return lambda top: (top / path).unlink()


def replace(path: str, old: str, new: str):
    def change(top: Path) -> None:
        text = (top / path).read_text()
        assert old in text
        (top / path).write_text(text.replace(old, new))

    return change


def append(path: str, text: str):
    def change(top: Path) -> None:
        with (top / path).open("a") as file:
            file.write(text)

    return change


LOCAL = ".interlock/local.env"
BROKEN = [
    ("config", "fail", drop(LOCAL), "interlock init"),
    ("config", "fail", replace(LOCAL, "INTERLOCK_PROJECT=", "INTERLOCK_PROJECT=${TEAM}/"), "interlock init"),
    ("private", "fail", lambda top: (top / LOCAL).chmod(0o644), "chmod 600"),
    ("private", "fail", lambda top: git("add", "--force", LOCAL, at=top), "git rm -r --cached"),
    ("url", "fail", replace(LOCAL, "127.0.0.1:", "127.0.0.1:99999"), "INTERLOCK_URL"),
    (
        "connect",
        "fail",
        append(LOCAL, "INTERLOCK_URL=http://127.0.0.1:9\n"),
        "start the server",
    ),
    ("connect", "fail", replace(LOCAL, "127.0.0.1", "nowhere.invalid"), "DNS"),
    ("connect", "fail", replace(LOCAL, "http://", "https://"), "http://"),
    ("token", "fail", replace(LOCAL, "ilk_agent_", "ilk_agent_x"), "--token -"),
    ("matched", "fail", append(LOCAL, "INTERLOCK_REPOSITORY=gone\n"), "--repository"),
    ("project", "fail", replace(LOCAL, "/main\n", "/other\n"), "interlock init"),
    ("server.claude", "fail", drop(".mcp.json"), "--fix"),
    ("server.codex", "warn", replace(".codex/config.toml", '"mcp"', '"mcp", "--old"'), "--fix"),
    ("hooks.claude", "warn", replace(".claude/settings.json", '"timeout": 15', '"timeout": 600'), "--fix"),
    ("hooks.cursor", "fail", drop(".cursor/hooks.json"), "--fix"),
    ("fires.cursor", "fail", drop(".cursor/hooks.json"), "--fix"),
    ("hooks.gemini", "fail", replace(".gemini/settings.json", "{\n", "{ // mine\n"), "by hand"),
    (
        "hooks.claude",
        "fail",
        replace(".claude/settings.json", "{\n", '{ "disableAllHooks": true,\n'),
        "disableAllHooks",
    ),
    ("fires.claude", "fail", replace(".claude/settings.json", "interlock hook", "no-such/interlock hook"), "command"),
    ("protocol.codex", "warn", replace("AGENTS.md", "Begin with", "Start with"), "--fix"),
    ("githooks.pre-push", "warn", drop(".git/hooks/pre-push"), "interlock init"),
    ("githooks.pre-commit", "fail", lambda top: (top / ".git/hooks/pre-commit").chmod(0o644), "chmod +x"),
    ("gitfires.pre-commit", "fail", lambda top: (top / ".git/hooks/pre-commit").chmod(0o644), "chmod +x"),
    ("githooks.pre-commit", "warn", lambda top: git("config", "core.hooksPath", "elsewhere", at=top), "init --yes"),
]


@pytest.mark.parametrize(
    ("name", "state", "harm", "mend"), BROKEN, ids=[f"{each[0]}-{at}" for at, each in enumerate(BROKEN)]
)
def test_a_broken_link_is_named_with_its_mend(wired, top, name, state, harm, mend):
    other = name.partition(".")[2]
    if other in TOOLS and other != "claude":
        assert init(wired, "--tool", other).code == 0
    harm(top)
    found = examined(wired, INTERLOCK_URL="", INTERLOCK_TOKEN="")
    assert found[name]["state"] == state, found
    assert mend in found[name]["mend"]
    # Links that do not hang on this one are looked at all the same.
    assert {"python", "repository", "command", "tools"} <= states(found, "ok")


def test_outside_of_a_repository_the_rest_is_looked_at(zoe, tmp_path):
    done = zoe("doctor", "--json", at=tmp_path, env={"INTERLOCK_PROJECT": "a/b"})
    found = {each["id"]: each for each in done.json["checks"]}
    assert found["repository"]["state"] == "fail" and "git init" in found["repository"]["mend"]
    assert found["health"]["state"] == "ok" and found["tools"]["state"] == "skip"


def test_a_repository_that_is_not_wired_is_told_how(zoe):
    found = examined(zoe, INTERLOCK_PROJECT="a/b")
    assert "interlock init --tool" in found["tools"]["mend"]


def test_tools_that_cannot_find_the_command_are_broken(wired):
    wired.env["PATH"] = SYSTEM
    found = examined(wired)
    assert found["command"]["state"] == "fail" and "PATH" in found["command"]["mend"]
    assert found["fires.claude"]["state"] == "fail" and "does not find" in found["fires.claude"]["detail"]
    assert found["mcp"]["state"] == "ok"


def test_another_version_on_the_path_is_told(wired, tmp_path):
    wired.env["PATH"] = f"{program(tmp_path / 'old', 'interlock', 'echo interlock 0.0.1').parent}{os.pathsep}{SYSTEM}"
    found = examined(wired)
    assert found["command"]["state"] == "warn" and "0.0.1" in found["command"]["detail"]
    assert found["mcp"]["state"] == "fail" and found["fires.claude"]["state"] == "fail"
    assert "let through" in found["fires.claude"]["detail"]


def test_a_token_that_may_too_little_is_broken(wired, top, place):
    found = examined(wired, INTERLOCK_TOKEN=place.token(preset="reader"))
    assert found["scopes"]["state"] == "fail" and "lacks coordinate" in found["scopes"]["detail"]
    assert found["mcp"]["state"] == found["fires"]["state"] == "skip"
    assert found["matched"]["state"] == "ok"


def test_a_token_that_ends_soon_is_told(wired, alice):
    made = alice.post("T/tokens", {"name": "short", "preset": "agent", "expires_in_seconds": 3600 * 24}).json()
    found = examined(wired, INTERLOCK_TOKEN=made["secret"])
    assert found["token"]["state"] == "warn" and made["expires_at"] in found["token"]["detail"]
    assert made["secret"] not in json.dumps(found)


def test_a_frozen_project_and_a_guard_that_only_watches_are_told(wired, alice, place):
    place.set_policy(guard_policy="observe")
    assert "observe" in examined(wired)["project"]["detail"]
    assert alice.post("P/freeze", {"reason": "stop"}).status_code in (200, 201)
    assert "frozen" in examined(wired)["project"]["detail"]


def test_a_remote_of_another_repository_is_told(wired, alice, top):
    alice.post("P/repositories", {"slug": "shop", "remote": "github.com/acme/shop"})
    alice.patch("P/repositories/main", {"remote": "github.com/acme/main"})
    git("remote", "add", "origin", "https://github.com/acme/else", at=top)
    assert examined(wired)["matched"]["state"] == "warn"
    git("remote", "set-url", "origin", "https://github.com/acme/shop", at=top)
    found = examined(wired)["matched"]
    assert found["state"] == "fail" and "shop" in found["detail"]


def test_hooks_that_a_manager_shadows_are_told(wired, top):
    shutil.copytree(top / ".git/hooks", top / "unused")
    git("config", "core.hooksPath", ".husky/_", at=top)
    found = examined(wired)
    for name in githooks.NAMES:
        assert "core.hooksPath is .husky/_" in found[f"githooks.{name}"]["detail"]


def test_git_hooks_answer_wherever_they_stand_and_nothing_of_others_runs(wired, top):
    program(top / ".git/hooks", "pre-commit.local", "touch ran; exit 1")
    hooks = top / ".git/hooks"
    (hooks / "pre-push").rename(hooks / "pre-push.legacy")
    program(hooks, "pre-push", "touch ran; exit 1")
    program(hooks, "post-rewrite", 'touch ran; interlock git-hook post-rewrite "$@" || :')
    found = examined(wired)
    assert {name for name in found if name.startswith("gitfires.")} <= states(found, "ok")
    assert "not run" in found["gitfires.post-rewrite"]["detail"] and not (top / "ran").exists()


def test_tracked_hooks_answer_too(zoe, top):
    for name in githooks.NAMES:
        program(top / ".husky/_", name, f'exec sh -e "$(dirname "$0")/../{name}" "$@"')
    git("config", "core.hooksPath", ".husky/_", at=top)
    assert init(zoe, "--tool", "claude", "--yes").code == 0
    found = examined(zoe)
    assert states(found, "ok") == set(found), [each for each in found.values() if each["state"] != "ok"]


def test_git_hooks_that_do_not_reach_us_are_broken(wired, top):
    wired.env["PATH"] = SYSTEM
    text = (top / LOCAL).read_text()
    (top / LOCAL).write_text("".join(line for line in text.splitlines(True) if "COMMAND" not in line))
    found = examined(wired)
    assert "not installed here" in found["gitfires.pre-push"]["detail"]


def test_a_worktree_that_is_gone_is_told(wired, top, tmp_path):
    git("worktree", "add", "--quiet", str(tmp_path / "linked"), at=top)
    assert examined(wired)["worktree"]["state"] == "ok"
    shutil.rmtree(tmp_path / "linked")
    assert "git worktree prune" in examined(wired)["worktree"]["mend"]


def test_a_linked_worktree_is_as_well_as_the_main_one(all_wired, top, tmp_path):
    git("add", "--all", at=top)
    git("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--message", "Wired.", at=top)
    git("worktree", "add", "--quiet", str(tmp_path / "linked"), at=top)
    done = all_wired("doctor", "--json", at=tmp_path / "linked")
    assert done.code == 0, done.out
    found = {each["id"]: each for each in done.json["checks"]}
    assert "linked worktree" in found["repository"]["detail"]
    # Codex takes the hooks of the main worktree, whatever this one has.
    (top / ".codex/hooks.json").unlink()
    done = all_wired("doctor", "--json", at=tmp_path / "linked")
    assert {each["id"]: each for each in done.json["checks"]}["hooks.codex"]["state"] == "fail"


# --- what answers is no Interlock -----------------------------------------------------------------------------


@contextmanager
def answering(answer: bytes):
    """Something on a port that answers every request so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_something_else_that_answers_is_told(wired):
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi") as url:
        found = examined(wired, INTERLOCK_URL=url)
    assert found["health"]["state"] == "fail" and "not as Interlock" in found["health"]["detail"]
    assert found["token"]["state"] == "skip"


def test_another_clock_and_another_version_are_told(wired):
    body = b'{"status":"ok"}'
    head = (
        b"Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nLocation: /agent/interlock-9.9.9-py3-none-any.whl\r\nConnection: close"
    )
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n\r\n%s" % (len(body), head, body)
    with answering(answer) as url:
        found = examined(wired, INTERLOCK_URL=url)
    assert found["clock"]["state"] == "warn" and "ahead of" in found["clock"]["detail"]
    assert found["version"]["state"] == "warn"
    assert found["version"]["mend"] == f"pip install {url}/agent/interlock-9.9.9-py3-none-any.whl"


# --- mending --------------------------------------------------------------------------------------------------


def test_fix_writes_what_init_would_and_looks_again(all_wired, top):
    whole = snapshot(top)
    for name in (".mcp.json", ".cursor/hooks.json", ".git/hooks/pre-push", "AGENTS.md"):
        (top / name).unlink()
    (top / LOCAL).chmod(0o644)
    done = all_wired("doctor", "--fix")
    assert done.code == 0, done.out
    assert "mended  created .mcp.json (MCP server)" in done.out and "0 broken" in done.out
    kept = {
        name: held for name, held in snapshot(top).items() if not name.startswith((".interlock/runs/", ".interlock/w"))
    }
    assert kept == {name: held for name, held in whole.items() if not name.startswith(".interlock/w")}
    assert "nothing that --fix can mend" in all_wired("doctor", "--fix").out


def test_entries_that_ask_over_http_are_kept_and_want_an_environment(wired, top):
    (top / ".mcp.json").unlink()
    assert init(wired, "--tool", "claude", "--http").code == 0
    before = (top / ".mcp.json").read_bytes()
    assert "INTERLOCK_PROJECT in the tool's environment" in examined(wired)["server.claude"]["detail"]
    assert "MCP server (claude)" in wired("doctor", "--fix").out
    assert (top / ".mcp.json").read_bytes() == before


def test_fix_without_settings_says_what_comes_first(zoe):
    done = zoe("doctor", "--fix", env={"INTERLOCK_TOKEN": ""})
    assert done.code == 3 and "interlock init" in done.err


# --- the list itself ------------------------------------------------------------------------------------------


def test_one_check_that_breaks_hides_no_other(tmp_path):
    def breaks(_: Desk) -> base.Verdict:
        raise RuntimeError("oh \x1b[31mno")

    listed = [
        Check("a", "A", lambda _: ok("fine")),
        Check("b", "B", breaks),
        Check("c", "C", lambda _: [warn("x", "y", "one"), fail("x", "y", "two")]),
        Check("d", "D", lambda _: ok(), ("b",)),
        Check("e", "E", lambda _: ok(), ("a",)),
    ]
    found = visit(Desk(tmp_path, {}), listed)
    assert [(each.id, each.state.value) for each in found] == [
        ("a", "ok"), ("b", "fail"), ("c.one", "warn"), ("c.two", "fail"), ("d", "skip"), ("e", "ok"),
    ]  # fmt: skip
    assert "RuntimeError" in found[1].detail and "\x1b" not in found[1].detail


def test_when_the_time_is_up_the_rest_is_skipped(tmp_path):
    found = visit(Desk(tmp_path, {}, ends=0.0), [Check("a", "A", lambda _: ok())])
    assert [each.state for each in found] == [State.SKIP]


def test_checks_have_ids_of_their_own_and_need_what_comes_before():
    known: list[str] = []
    for check in checks.ALL:
        assert check.id not in known and set(check.needs) <= set(known), check.id
        known.append(check.id)


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_the_planted_edit_is_read_by_the_guard_as_one(tool):
    from coordination.engine.guard.payloads import read
    from coordination.engine.guard.types import Event

    kinds = []
    for event, payload in payloads.probe(tool, "/w", "doctor-1"):
        use = read(tool.client, payload, event)
        kinds.append(use.event)
        assert use.session == "doctor-1"
        assert all(touch.path.startswith("/w/.interlock/probe/") for touch in use.touches)
        assert bool(use.touches) == (use.event is Event.PRE_TOOL)
    assert kinds == [Event.SESSION_START, Event.PRE_TOOL, Event.SESSION_END]

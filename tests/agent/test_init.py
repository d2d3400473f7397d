"""``interlock init`` against a real server, in real repositories: what it writes, keeps, refuses, and takes out."""

import json
import os
import sys
import tomllib
from pathlib import Path

import pytest

from mcp_gateway.agent.repo import checkout_of
from mcp_gateway.agent.wiring import build, protocol
from mcp_gateway.agent.wiring.plan import ChangedError
from mcp_gateway.agent.wiring.tools import TOOLS, chosen
from tests.agent.wiring import git, init, program, snapshot

TRACKED = [
    ".mcp.json", ".claude/settings.json", "CLAUDE.md", ".codex/config.toml", ".codex/hooks.json", "AGENTS.md",
    ".cursor/mcp.json", ".cursor/hooks.json", ".cursor/rules/interlock.mdc", ".gemini/settings.json", "GEMINI.md",
    ".gitignore",
]  # fmt: skip


def test_everything_is_written_and_said_file_by_file(zoe, top, place, token):
    done = init(zoe, "--tool", "all")
    assert done.code == 0, done.err + done.out
    assert f"{place.slug}/main, repository main, the project's default" in done.out
    for name in TRACKED:
        assert (top / name).is_file()
        assert f"created  {name}" in " ".join(done.out.split()).replace("created ", "created  ")
    local = (top / ".interlock/local.env").read_text()
    assert f"INTERLOCK_TOKEN={token}" in local and f"INTERLOCK_PROJECT={place.slug}/main" in local
    assert (top / ".interlock/local.env").stat().st_mode & 0o777 == 0o600
    assert "interlock doctor" in done.out and "/hooks" in done.out
    assert tomllib.loads((top / ".codex/config.toml").read_text())["mcp_servers"]["interlock"]["args"] == ["mcp"]


def test_a_second_run_changes_nothing_and_says_so(zoe, top):
    init(zoe, "--tool", "all")
    before = snapshot(top)
    again = init(zoe, "--tool", "all")
    assert snapshot(top) == before
    assert again.code == 0 and "Nothing to change." in again.out
    # Without flags it finds the tools that are wired, and the values that are kept.
    silent = init(zoe, "--yes", INTERLOCK_TOKEN="", INTERLOCK_URL="")
    assert silent.code == 0 and snapshot(top) == before


def test_no_tracked_file_holds_the_token_or_a_path_of_this_machine(zoe, top, token):
    init(zoe, "--tool", "all")
    git("add", "--all", at=top)
    staged = git("diff", "--cached", at=top)
    assert ".mcp.json" in staged and "interlock" in staged
    for secret in (token, token[10:], str(top), sys.executable, str(Path.home())):
        assert secret not in staged
    holding = [name for name, (content, _) in snapshot(top).items() if token.encode() in content]
    assert holding == [".interlock/local.env"]
    assert git("ls-files", ".interlock", at=top) == ""


def test_the_token_can_be_read_from_standard_input(zoe, top, token):
    done = init(zoe, "--tool", "claude", "--token", "-", text=f"{token}\n", INTERLOCK_TOKEN="")
    assert done.code == 0 and token in (top / ".interlock/local.env").read_text()
    assert token not in done.out + done.err


def test_removal_gives_back_every_byte(zoe, top):
    (top / ".mcp.json").write_bytes(b'\xef\xbb\xbf{\r\n\t"mcpServers": {\r\n\t\t"a": {"command":"b"}\r\n\t}\r\n}')
    (top / "AGENTS.md").write_bytes(b"# Ours\r\n\r\nText without a last line end")
    (top / "CLAUDE.md").write_text("x\n\n\n")
    (top / ".gitignore").write_text("*.pyc")
    (top / ".claude").mkdir()
    (top / ".claude/settings.json").write_text('{"permissions": {}, "hooks": {"Stop": []}}')
    (top / ".codex").mkdir()
    (top / ".codex/config.toml").write_text('model = "x"  # mine\n')
    program(top / ".git/hooks", "pre-commit", "exit 0")
    before = snapshot(top)
    assert init(zoe, "--tool", "all").code == 0
    assert snapshot(top) != before
    done = init(zoe, "--remove")
    assert done.code == 0, done.out
    assert snapshot(top) == before
    assert not (top / ".cursor").exists() and not (top / ".interlock").exists()
    assert "Nothing of ours is here." in init(zoe, "--remove").out


def test_removal_leaves_what_was_changed_since(zoe, top):
    init(zoe, "--tool", "claude")
    path = top / "CLAUDE.md"
    path.write_text("# Mine, added later\n\n" + path.read_text() + "\nand at the end\n")
    servers = json.loads((top / ".mcp.json").read_text())
    servers["mcpServers"]["other"] = {"command": "x"}
    (top / ".mcp.json").write_text(json.dumps(servers))
    with (top / ".interlock/local.env").open("a") as file:
        file.write("MINE=1\n")
    assert init(zoe, "--remove").code == 0
    assert path.read_text() == "# Mine, added later\n\nand at the end\n"
    assert json.loads((top / ".mcp.json").read_text()) == {"mcpServers": {"other": {"command": "x"}}}
    assert (top / ".interlock/local.env").read_text() == "MINE=1\n"
    assert not (top / ".claude").exists()


def test_one_tool_can_be_taken_out_alone(zoe, top):
    init(zoe, "--tool", "claude", "--tool", "codex")
    before = snapshot(top)
    assert init(zoe, "--remove", "--tool", "codex").code == 0
    gone = {name for name in before if name not in snapshot(top)}
    assert gone == {".codex/config.toml", ".codex/hooks.json", "AGENTS.md"}
    assert init(zoe, "--tool", "codex").code == 0
    assert set(snapshot(top)) == set(before)


def test_a_clone_of_a_wired_repository_only_gets_what_is_not_tracked(zoe, session, top, tmp_path, token, web):
    init(zoe, "--tool", "all")
    git("add", "--all", at=top)
    git("commit", "--quiet", "--message", "Wired.", "--no-verify", at=top)
    clone = tmp_path / "clone"
    git("clone", "--quiet", str(top), str(clone), at=tmp_path)
    ben = session(clone, PATH=zoe.env["PATH"], HOME=str(tmp_path), INTERLOCK_URL=web.url, INTERLOCK_TOKEN=token)
    assert init(ben).code == 0
    assert git("status", "--porcelain", at=clone) == ""
    assert (clone / ".interlock/local.env").exists() and (clone / ".git/hooks/pre-commit").exists()


def test_partial_wiring_is_completed_and_old_wiring_put_right(zoe, top):
    init(zoe, "--tool", "claude")
    whole = snapshot(top)
    (top / ".git/hooks/pre-push").unlink()
    (top / ".mcp.json").unlink()
    settings = (top / ".claude/settings.json").read_text()
    (top / ".claude/settings.json").write_text(settings.replace('"timeout": 15', '"timeout": 1'))
    old = (top / "CLAUDE.md").read_text().replace("Begin with `sync`", "Begin somehow")
    (top / "CLAUDE.md").write_text(old)
    (top / ".interlock/local.env").chmod(0o644)
    assert init(zoe).code == 0
    now = snapshot(top)
    whole.pop(".interlock/wiring.json"), now.pop(".interlock/wiring.json")
    assert now == whole


def test_a_dry_run_writes_nothing(zoe, top):
    before = snapshot(top)
    done = init(zoe, "--tool", "all", "--dry-run")
    assert done.code == 0 and "created" in done.out and "Nothing was written" in done.out
    assert snapshot(top) == before


def test_a_program_gets_json(zoe, place):
    done = init(zoe, "--tool", "claude", "--json")
    found = done.json
    assert (found["team"], found["project"], found["changed"]) == (place.slug, "main", True)
    assert {"done": "created", "path": ".mcp.json", "what": "MCP server"} in found["files"]


def test_json_with_comments_is_left_and_told_by_hand(zoe, top):
    text = '{\n  // the theme\n  "theme": "dark",\n}\n'
    (top / ".gemini").mkdir()
    (top / ".gemini/settings.json").write_text(text)
    done = init(zoe, "--tool", "gemini")
    assert done.code == 1
    assert (top / ".gemini/settings.json").read_text() == text
    assert "By hand, .gemini/settings.json: it has comments" in done.out
    assert '"interlock hook gemini"' in done.out and '"BeforeTool"' in done.out
    assert (top / "GEMINI.md").exists()


def test_http_entries_hold_placeholders_and_stay_http(zoe, top):
    assert init(zoe, "--tool", "all", "--http").code == 0
    claude = json.loads((top / ".mcp.json").read_text())["mcpServers"]["interlock"]
    assert claude["url"] == "${INTERLOCK_URL}/mcp/${INTERLOCK_PROJECT}"
    assert claude["headers"] == {"Authorization": "Bearer ${INTERLOCK_TOKEN}"}
    cursor = json.loads((top / ".cursor/mcp.json").read_text())["mcpServers"]["interlock"]
    assert cursor["url"].startswith("${env:INTERLOCK_URL}")
    before = snapshot(top)
    assert init(zoe, "--tool", "all").code == 0
    assert snapshot(top) == before


def test_a_document_that_only_points_on_is_followed_and_links_are_too(zoe, top):
    (top / "AGENTS.md").write_text("# Rules\n")
    (top / "CLAUDE.md").write_text("@AGENTS.md\n")
    (top / "GEMINI.md").symlink_to("AGENTS.md")
    assert init(zoe, "--tool", "all").code == 0
    assert (top / "CLAUDE.md").read_text() == "@AGENTS.md\n"
    assert (top / "GEMINI.md").is_symlink()
    assert (top / "AGENTS.md").read_text().count("interlock:begin") == 1


def test_nothing_is_written_through_a_link_out_of_the_repository(zoe, top, tmp_path):
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("{}")
    (top / ".mcp.json").symlink_to(elsewhere)
    hooks = tmp_path / "everybodys"
    hooks.mkdir()
    (top / ".git/hooks").rename(top / ".git/old")
    (top / ".git/hooks").symlink_to(hooks)
    done = init(zoe, "--tool", "claude")
    assert done.code == 1 and "leads out of the repository" in done.out
    assert elsewhere.read_text() == "{}" and list(hooks.iterdir()) == []


def test_the_protocol_is_short():
    assert len(protocol.TEXT.split()) < 150


def test_a_file_in_the_place_of_a_folder_is_told_and_the_rest_is_wired(zoe, top):
    (top / ".claude").write_text("a file where a folder must be")
    before = snapshot(top)
    done = init(zoe, "--tool", "claude")
    assert done.code == 1 and "By hand, .claude/settings.json" in done.out
    assert snapshot(top)[".claude"] == before[".claude"]
    assert (top / ".mcp.json").exists()


def test_half_a_wiring_is_never_left(top, monkeypatch):
    checkout = checkout_of(top)
    assert checkout is not None
    program(top / ".git/hooks", "pre-push", "exit 0")
    before = snapshot(top)
    values = {"INTERLOCK_URL": "http://127.0.0.1:9", "INTERLOCK_TOKEN": "ilk_agent_x"}
    plan = build.wire(build.Wiring(checkout, chosen(["all"]), values))
    left = [9]
    put = os.replace

    def puts_some(source, target):
        left[0] -= 1
        if not left[0]:
            raise OSError(28, "No space left on device", target)
        put(source, target)

    monkeypatch.setattr(os, "replace", puts_some)
    with pytest.raises(OSError, match="No space"):
        build.apply(plan, checkout)
    assert snapshot(top) == before
    assert not list(top.rglob(".interlock-*"))


def test_what_was_changed_while_it_was_planned_is_not_written_over(top):
    checkout = checkout_of(top)
    assert checkout is not None
    plan = build.wire(build.Wiring(checkout, chosen(["all"]), {}))
    (top / "AGENTS.md").write_text("just now")
    before = snapshot(top)
    with pytest.raises(ChangedError):
        build.apply(plan, checkout)
    assert snapshot(top) == before


def test_every_tool_the_guard_reads_is_matched():
    import re

    from coordination.engine.guard import payloads

    for tool in TOOLS.values():
        names = payloads._FILE_TOOLS[tool.client] | payloads._SHELL_TOOLS[tool.client]
        if tool.name in ("codex", "gemini"):
            names = {"apply_patch", "Bash"} if tool.name == "codex" else {"write_file", "replace", "run_shell_command"}
        edits = [entry["matcher"] for entry in tool.entries.values() if "matcher" in entry]
        assert len(edits) == 2
        assert [name for name in names for matcher in edits if not re.fullmatch(matcher, name)] == []

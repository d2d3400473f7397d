"""Git's hooks: ours are found, those of others run, nothing is written where it must not be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_gateway.agent.wiring import githooks
from tests.agent.desk import Session
from tests.agent.wiring import SYSTEM, environment, git, init, program, snapshot


def test_a_hook_that_was_there_runs_first_and_its_no_counts(zoe, top):
    program(top / ".git/hooks", "pre-commit", 'echo "mine $*" >> ran; exit $(cat verdict)')
    (top / "verdict").write_text("1")
    assert init(zoe, "--tool", "claude").code == 0
    assert (top / ".git/hooks/pre-commit.local").read_text().startswith("#!/bin/sh\necho")
    hook = [str(top / ".git/hooks/pre-commit"), "a b"]
    assert subprocess.run(hook, cwd=top, env=environment(PATH=SYSTEM)).returncode == 1
    assert (top / "ran").read_text() == "mine a b\n"


@pytest.mark.parametrize("name", githooks.NAMES)
def test_a_hook_finds_the_command_and_hands_everything_on(zoe, top, tmp_path, name):
    program(top / ".git/hooks", name, 'cat > theirs; echo "$@" > their-arguments')
    assert init(zoe, "--tool", "claude").code == 0
    program(tmp_path / "spy", "interlock", 'cat > ours; echo "$@" > our-arguments; exit 4')
    lines = b"refs/heads/a 1 refs/heads/a 2\nlast \xff line\n\n"
    path = f"{tmp_path / 'spy'}{os.pathsep}{SYSTEM}"
    hook = [str(top / ".git/hooks" / name), "x y"]
    done = subprocess.run(hook, cwd=top, env=environment(PATH=path), input=lines, capture_output=True)
    # Those that only write something down never stop git.
    assert done.returncode == (4 if name in ("pre-commit", "pre-push") else 0), done.stderr
    assert (top / "our-arguments").read_text() == f"git-hook {name} x y\n"
    assert (top / "theirs").read_bytes() == lines
    if name in ("pre-push", "post-rewrite"):
        assert (top / "ours").read_bytes() == lines


def test_a_hook_falls_back_to_the_interpreter_that_is_written_down(zoe, top):
    assert init(zoe, "--tool", "claude").code == 0
    file = top / ".interlock/local.env"
    spy = program(top / "with space", "python", 'echo "$@" > asked')
    file.write_text(file.read_text().replace(Path(sys.executable).as_posix(), f'"{spy}"'))
    hook = str(top / ".git/hooks/pre-commit")
    assert subprocess.run([hook], cwd=top, env=environment(PATH=SYSTEM)).returncode == 0
    assert (top / "asked").read_text() == "-P -m mcp_gateway.agent git-hook pre-commit\n"


def test_a_hook_lets_git_go_on_where_nothing_is_installed(zoe, top):
    assert init(zoe, "--tool", "claude").code == 0
    (top / ".interlock/local.env").unlink()
    hook = str(top / ".git/hooks/pre-commit")
    done = subprocess.run([hook], cwd=top, env=environment(PATH=SYSTEM), capture_output=True, text=True)
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 1 and "not installed" in done.stderr


def test_a_linked_worktree_uses_the_settings_and_hooks_of_the_main_one(zoe, top, tmp_path, token):
    git("worktree", "add", "--quiet", str(tmp_path / "linked"), at=top)
    assert init(zoe, "--tool", "claude", at=tmp_path / "linked").code == 0
    linked = tmp_path / "linked"
    assert (linked / ".mcp.json").exists() and not (top / ".mcp.json").exists()
    assert token in (top / ".interlock/local.env").read_text() and not (linked / ".interlock").exists()
    assert (top / ".git/hooks/pre-commit").exists()
    assert git("status", "--porcelain", at=top) == ""
    assert init(zoe, "--remove", at=linked).code == 0
    assert git("status", "--porcelain", at=linked) == "" and not (top / ".interlock").exists()


@pytest.fixture
def husky(top: Path) -> Path:
    """Hooks that are tracked files, as husky has them."""
    shims = top / ".husky/_"
    for name in githooks.NAMES:
        program(
            shims, name, f'[ -f "$(dirname "$0")/../{name}" ] || exit 0; exec sh -e "$(dirname "$0")/../{name}" "$@"'
        )
    (top / ".husky/pre-commit").write_text("echo checked >> ran\n")
    (top / ".husky/pre-push").write_text("cat > pushed\n")
    git("config", "core.hooksPath", ".husky/_", at=top)
    return top / ".husky"


def test_tracked_hooks_are_left_alone_without_consent(zoe, top, husky):
    before = snapshot(husky)
    done = init(zoe, "--tool", "claude")
    assert done.code == 1 and snapshot(husky) == before
    assert ".husky/pre-commit" in done.out and 'interlock git-hook pre-commit "$@" || exit $?' in done.out
    assert not (top / ".git/hooks/pre-commit").exists()


def test_tracked_hooks_get_our_lines_with_consent_and_theirs_go_on_working(zoe, top, husky, tmp_path):
    before = snapshot(top)
    assert init(zoe, "--tool", "claude", "--yes").code == 0
    assert init(zoe, "--tool", "claude", "--yes").out.count("Nothing to change.") == 1
    program(tmp_path / "spy", "interlock", 'cat > ours; echo "$@" >> our-arguments')
    env = environment(PATH=f"{tmp_path / 'spy'}{os.pathsep}{SYSTEM}")
    for name, lines in (("pre-commit", ""), ("pre-push", "a 1 b 2\nc 3 d 4\n")):
        shim = str(husky / "_" / name)
        assert subprocess.run([shim, "origin"], cwd=top, env=env, input=lines, text=True).returncode == 0
    assert (top / "ran").read_text() == "checked\n"
    assert (top / "pushed").read_text() == (top / "ours").read_text() == "a 1 b 2\nc 3 d 4\n"
    assert (top / "our-arguments").read_text() == "git-hook pre-commit origin\ngit-hook pre-push origin\n"
    for name in ("ran", "pushed", "ours", "our-arguments"):
        (top / name).unlink()
    assert init(zoe, "--remove").code == 0
    assert snapshot(top) == before


def test_hooks_of_many_repositories_are_never_written_to(zoe, top, tmp_path):
    shared = tmp_path / "shared-hooks"
    shared.mkdir()
    git("config", "core.hooksPath", str(shared), at=top)
    done = init(zoe, "--tool", "claude", "--yes")
    assert done.code == 1 and list(shared.iterdir()) == []
    assert "it serves others, too" in done.out


def test_a_hook_manager_that_came_later_and_calls_ours_is_left(zoe, top):
    init(zoe, "--tool", "claude")
    hooks = top / ".git/hooks"
    (hooks / "pre-commit").rename(hooks / "pre-commit.legacy")
    program(hooks, "pre-commit", 'exec "$(dirname "$0")/pre-commit.legacy" "$@"')
    before = snapshot(hooks)
    assert init(zoe, "--tool", "claude").code == 0
    assert snapshot(hooks) == before


def test_git_hooks_can_be_left_out(zoe, top):
    assert init(zoe, "--tool", "claude", "--no-git-hooks").code == 0
    assert not (top / ".git/hooks/pre-commit").exists()


def test_a_commit_goes_through_what_was_wired(zoe, top):
    assert init(zoe, "--tool", "claude").code == 0
    ben = Session(top, **zoe.env, INTERLOCK_AGENT="ben")
    try:
        assert ben("claim", "src/api/users.py").code == 0
        assert zoe("claim", "README.md").code == 0
        (top / "README.md").write_text("mine")
        done = zoe.run(["git", "commit", "--quiet", "--message", "Mine.", "README.md"])
        assert done.code == 0, done.err
        assert "Agent-Instance: ins_" in git("log", "-1", "--format=%B", at=top)
        (top / "src/api/users.py").write_text("not mine")
        done = zoe.run(["git", "commit", "--quiet", "--message", "Theirs.", "src/api/users.py"])
        assert done.code == 1 and "ben" in done.err
    finally:
        ben.end()

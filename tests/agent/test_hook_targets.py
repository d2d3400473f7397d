"""Where a call lands: whose checkout, and which path of it."""

import subprocess
from pathlib import Path

import pytest

from coordination.engine.guard.payloads import read
from mcp_gateway.agent.hooks.targets import groups


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two repositories beside each other."""
    for name in ("one", "other"):
        subprocess.run(["git", "init", "-q", str(tmp_path / name)], check=True)
        (tmp_path / name / "a.py").write_text("1\n")
    return tmp_path / "one", tmp_path / "other"


def found(cwd: Path, command: str) -> dict[str, list[tuple[str, ...]]]:
    """The paths of a command's dangers by the name of the checkout."""
    said = {"session_id": "s", "cwd": str(cwd), "hook_event_name": "PreToolUse", "tool_name": "Bash"}
    use = read("claude-code", said | {"tool_input": {"command": command}})
    return {group.checkout.top.name: [danger.paths for danger in group.dangers] for group in groups(use)}


def test_a_danger_is_one_to_the_checkout_it_names_and_to_no_other(two: tuple[Path, Path]) -> None:
    one, other = two
    assert found(one, "git restore a.py") == {"one": [("a.py",)]}
    assert found(one, "git reset --hard") == {"one": [()]}
    assert found(one, f"git -C {other} reset --hard") == {"other": [()]}
    assert found(one, f"git -C {other} restore a.py") == {"other": [("a.py",)]}


def test_paths_elsewhere_never_make_a_danger_of_the_whole_checkout(two: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = two
    assert found(one, f"git restore {other}/a.py") == {"other": [("a.py",)]}
    assert found(one, f"git restore a.py {other}/a.py") == {"one": [("a.py",)], "other": [("a.py",)]}
    assert found(one, f"git restore {tmp_path}/nowhere.py") == {}

"""The example that the documentation tells the protocol by: run as its readers run it, and shown to be able to fail."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.making import Place, claim
from tests.web import Web

SCRIPT = Path(__file__).resolve().parents[2] / "docs/examples/two_agents.py"


def run(web: Web, place: Place, token: str) -> "subprocess.CompletedProcess[str]":
    """The example against our web process, in a project of its own; the token goes by the environment."""
    command = [sys.executable, str(SCRIPT), "--url", web.url, "--team", place.slug, "--project", place.project]
    environment = os.environ | {"INTERLOCK_TOKEN": token}
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.invariant("INV-01")
@pytest.mark.invariant("INV-05")
@pytest.mark.invariant("INV-12")
def test_three_agents_in_three_processes_and_worktrees_share_a_repository(web: Web, place: Place) -> None:
    done = run(web, place, place.token())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Everything held.\n")
    told = re.findall(r"^  \d\d:\d\d:\d\d\.\d{3}  (\w+) +([\w.]+)", done.stdout, re.MULTILINE)
    served = [line for line in told if line[0] != "cleo" and line[1].startswith(("claim", "queue"))]
    assert served == [
        ("ada", "claim.granted"),
        ("ben", "claim.queued"),
        ("ada", "claim.released"),
        ("ben", "claim.granted"),
        ("ben", "queue.granted"),
        ("ben", "claim.released"),
    ]


def test_the_example_says_what_kept_it_from_going_on(web: Web, place: Place) -> None:
    somebody = place.agent("somebody")
    held = claim(somebody, "coordination/engine/modes.py", reason="was here first")
    assert held.kind == "granted"
    done = run(web, place, place.token())
    assert done.returncode == 1
    assert "coordination/engine/modes.py is held by somebody" in done.stderr
    assert "ada did not get through" in done.stderr


def test_the_example_is_refused_with_a_token_that_is_none(web: Web, place: Place) -> None:
    done = run(web, place, "ilk_agent_nothing")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("two_agents: GET events: 200 expected, got 401:")


# Its proof is worth something only if a story in which it went wrong does not pass.


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("two_agents", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_claim(fence: int, pattern: str, *excepts: str) -> dict[str, Any]:
    """A claim in as many words as the example reads."""
    return {
        "id": f"clm_{fence}",
        "fence": fence,
        "scopes": [{"pattern": pattern, "except": [{"pattern": e} for e in excepts]}],
    }


def a_story(*events: str) -> list[dict[str, Any]]:
    """``+1`` grants clm_1, ``-1`` releases it."""
    return [
        {"type": "claim.granted" if event[0] == "+" else "claim.released", "subject": {"id": f"clm_{event[1:]}"}}
        for event in events
    ]


CLAIMS = {c["id"]: c for c in (a_claim(1, "src/**", "src/b.py"), a_claim(2, "src/b.py"), a_claim(3, "src/a.py"))}
FILES = ["src/a.py", "src/b.py", "src/c/d.py"]


def test_holders_beside_and_after_one_another_pass(example: ModuleType) -> None:
    example.check_holders(a_story("+1", "+2", "-1", "+3", "-2", "-3"), CLAIMS, FILES)


@pytest.mark.parametrize(
    ("events", "why"),
    [(("+1", "+3", "-1", "-3"), r"src/a\.py had two holders: clm_1 and clm_3"), (("+1", "+2", "-1"), "never released")],
)
def test_two_holders_of_a_file_do_not_pass(example: ModuleType, events: tuple[str, ...], why: str) -> None:
    with pytest.raises(SystemExit, match=why):
        example.check_holders(a_story(*events), CLAIMS, FILES)


@pytest.mark.parametrize("fences", [(1, 3, 2), (1, 2, 2), (1, 2)])
def test_fences_that_do_not_rise_do_not_pass(example: ModuleType, fences: tuple[int, ...]) -> None:
    with pytest.raises(SystemExit, match="fences should rise"):
        example.check_fences([a_claim(fence, "x") for fence in fences])


def test_a_merge_conflict_does_not_pass(example: ModuleType, tmp_path: Path) -> None:
    # What would have happened had ben not waited, and not begun from what ada had done.
    repository = example.make_repository(tmp_path)
    for name, line in (("ada", "STRICTEST = Mode.EXCLUSIVE\n"), ("ben", "MILDEST = Mode.ADVISORY\n"), ("cleo", "#\n")):
        worktree = tmp_path / name
        example.git("worktree", "add", "--quiet", "-b", f"agent/{name}", str(worktree), "main", at=repository)
        with (worktree / example.MODES).open("a") as file:
            file.write(line)
        example.git("commit", "--quiet", "--all", "--message", name, at=worktree)
    with pytest.raises(SystemExit, match="CONFLICT"):
        example.merge(repository)

"""The example of two wired agents, run as its readers run it: the command from the platform, a fresh repository."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import Place
from tests.web import Web

SCRIPT = Path(__file__).resolve().parents[2] / "docs/examples/guarded_agents.py"


def run(web: Web, place: Place, *more: str) -> "subprocess.CompletedProcess[str]":
    """The example against our web process, in a project of its own; the token goes by the environment."""
    command = [sys.executable, str(SCRIPT), "--url", web.url, "--team", place.slug, "--project", place.project, *more]
    environment = os.environ | {"INTERLOCK_TOKEN": place.token()}
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.invariant("INV-29")
@pytest.mark.parametrize("more", [(), ("--kill",)], ids=["as it goes", "ada is killed and resumed"])
def test_a_careful_and_a_careless_agent_cannot_collide(web: Web, place: Place, more: tuple[str, ...]) -> None:
    done = run(web, place, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Everything held.\n")
    assert len(re.findall(r"ben +.*: refused\. .*calculator/add\.py is held by ada", done.stdout)) == 2
    assert ("is back as epoch 2, and still has calculator/add*" in done.stdout) == bool(more)
    assert re.search(r"Merged into main\. verify range: .*pass", done.stdout)


def test_it_does_not_go_on_where_somebody_else_holds_the_ground(web: Web, place: Place) -> None:
    from tests.making import claim

    assert claim(place.agent("somebody"), "calculator/**", reason="was here first").kind == "granted"
    done = run(web, place)
    assert done.returncode == 1 and "somebody" in done.stderr

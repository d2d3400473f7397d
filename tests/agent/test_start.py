"""What runs at every edit starts fast: what it does not need is not loaded."""

import subprocess
import sys

import pytest

from tests.agent.desk import environment

_SERVER = {"django", "pydantic", "mcp", "orjson", "tenants", "deploy", "dashboard"}


def loaded(script: str) -> set[str]:
    """The modules that are there after a script, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\nimport sys; print('\\n'.join(sys.modules))"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines())


@pytest.mark.parametrize("module", ["cli", "context", "settings", "repo", "output", "commands.hook", "runs", "bridge"])
def test_the_command_loads_nothing_of_the_server(module: str) -> None:
    found = loaded(f"import mcp_gateway.agent.{module}")
    assert {name.partition(".")[0] for name in found} & _SERVER == set()
    ours = {name for name in found if name.startswith(("coordination.", "mcp_gateway."))}
    assert [name for name in ours if not name.startswith(("coordination.engine", "mcp_gateway.agent"))] == []


@pytest.mark.parametrize("module", ["cli", "context", "settings", "repo", "output", "processes"])
def test_what_needs_no_network_loads_none(module: str) -> None:
    found = loaded(f"import mcp_gateway.agent.{module}")
    assert found & {"ssl", "http.client", "socket", "subprocess", "argparse", "email", "asyncio"} == set()


def test_a_command_that_is_not_asked_for_is_not_loaded() -> None:
    found = loaded("from mcp_gateway.agent.cli import main; main(['--version'])")
    assert not {name for name in found if name.startswith("mcp_gateway.agent.commands")}

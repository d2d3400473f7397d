"""The official TypeScript clients and the MCP Inspector's command line against the door.

They come from npm, in the versions that npm/package-lock.json pins, node among them: with ``--npm``, or CI=true.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from mcp_gateway.protocol import INSTRUCTIONS
from mcp_gateway.tools import TOOLS

HERE = Path(__file__).parent / "npm"
_INSTALL_S = 600
_RUN_S = 120


@pytest.fixture(scope="session")
def installed(request) -> Path:
    """The folder with the clients, installed once for each state of the lock file, outside the checkout."""
    if not (request.config.getoption("--npm") or os.environ.get("CI") == "true"):
        pytest.skip("the TypeScript clients are installed from npm with --npm, or under CI=true")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm on this machine to install the TypeScript clients with")
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in ("package.json", "package-lock.json")))
    folder = Path(tempfile.gettempdir()) / f"interlock-npm-{os.getuid()}-{digest.hexdigest()[:16]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers of one run
        if not (folder / "done").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, folder)
            ran = subprocess.run(
                [npm, "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=_INSTALL_S
            )
            assert ran.returncode == 0, ran.stderr[-3000:]
            (folder / "done").touch()
        # Modules are looked for beside the script that asks for them.
        shutil.copy(HERE / "clients.mjs", folder)
    return folder


def _node(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    node = folder / "node_modules/.bin/node"
    home = {"HOME": str(folder), "PATH": os.environ["PATH"], "MCP_INSPECTOR_SECRET_STORE": "memory"}
    return subprocess.run(
        [node, *arguments], cwd=folder, capture_output=True, text=True, timeout=_RUN_S, env=home | environment
    )


@pytest.mark.parametrize(
    ("flavour", "protocol"), [("sdk-1", "2025-11-25"), ("client-2", "2025-11-25"), ("client-2-auto", "2026-07-28")]
)
def test_the_typescript_clients(installed, web, place, flavour, protocol):
    ran = _node(installed, "clients.mjs", flavour, f"{web.url}/mcp/{place.slug}/main", INTERLOCK_TOKEN=place.token())
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(ran.stdout)
    assert found["protocol"] == protocol
    assert found["tools"] == [tool.name for tool in TOOLS] and found["instructions"] == INSTRUCTIONS
    assert (found["granted"], found["served"], found["verdict"]) == ("ada", "bob", "pass")
    failed, code, text = found["refused"]
    assert (failed, code) == (False, "claim_conflict") and "a.py is held by ada" in text
    failed, code, text = found["mistake"]
    assert (failed, code) == (True, "invalid") and "did you mean paths?" in text


@pytest.fixture
def inspect(installed, web, place):
    """The Inspector's command line for this place; its parsed output."""
    config = installed / f"{place.slug}.json"
    headers = {"Authorization": f"Bearer {place.token()}"}
    server = {"type": "http", "url": f"{web.url}/mcp/{place.slug}/main", "headers": headers}
    config.write_text(json.dumps({"mcpServers": {"interlock": server}}))
    config.chmod(0o600)

    def run(*arguments: str, code: int = 0):
        ran = _node(
            installed,
            "node_modules/@modelcontextprotocol/inspector/" + _entry(installed),
            *("--cli", "--config", str(config), "--server", "interlock", *arguments),
        )
        assert ran.returncode == code, ran.stdout[-2000:] + ran.stderr[-2000:]
        return json.loads(ran.stdout), ran.stderr

    yield run
    config.unlink()


def _entry(folder: Path) -> str:
    package = json.loads((folder / "node_modules/@modelcontextprotocol/inspector/package.json").read_text())
    return str(package["bin"]["mcp-inspector"])


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_finds_nothing_to_complain_about(inspect, era):
    listed, said = inspect("--protocol-era", era, "--method", "tools/list", "--strict")
    assert [tool["name"] for tool in listed["tools"]] == [tool.name for tool in TOOLS]
    assert "warning" not in said.lower() and "error" not in said.lower(), said


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_calls_tools(inspect, era):
    call = ("--protocol-era", era, "--method", "tools/call", "--tool-name")
    joined, _ = inspect(*call, "sync", "--tool-arg", "agent=ada")
    me = joined["structuredContent"]["instance"]["handle"]
    granted, _ = inspect(*call, "claim", "--tool-arg", f"instance={me}", '--tool-arg=paths=["a.py"]')
    assert granted["structuredContent"]["holder"]["agent"] == "ada"
    released, _ = inspect(*call, "release", "--tool-arg", f"instance={me}", "all=true")
    assert released["structuredContent"]["released"] == [granted["structuredContent"]["id"]]

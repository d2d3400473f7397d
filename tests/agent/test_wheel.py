"""The command as users have it: the built wheel, in an environment with nothing else."""

import os
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from mcp_gateway.agent import VERSION
from tests.agent.desk import ROOT, Session, environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an empty environment that it was installed into, without any index."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return python.with_name("interlock.exe" if os.name == "nt" else "interlock")


def outside() -> dict[str, str]:
    """An environment that does not lead back to this checkout."""
    return {name: value for name, value in environment().items() if name != "PYTHONPATH"}


def test_it_depends_on_nothing_and_holds_the_client_and_the_engine_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        told = Parser().parsestr(opened.read(metadata).decode())
    assert (told["Name"], told["Version"]) == ("interlock", VERSION)
    assert [line for line in told.get_all("Requires-Dist") or [] if "extra ==" not in line] == []
    modules = [name for name in names if ".dist-info/" not in name]
    assert {name.rpartition("/")[0].split("/")[0] for name in modules} == {"coordination", "mcp_gateway"}
    for name in modules:
        assert name in ("coordination/__init__.py", "mcp_gateway/__init__.py") or name.startswith(
            ("coordination/engine/", "mcp_gateway/agent/")
        ), name


def test_nothing_of_the_server_can_be_imported_beside_it(installed: Path, tmp_path: Path) -> None:
    script = (
        "import importlib.util as u;"
        "print([n for n in ('django', 'pydantic', 'tenants', 'deploy', 'dashboard', 'mcp') if u.find_spec(n)])"
    )
    python = installed.with_name("python.exe" if os.name == "nt" else "python")
    done = subprocess.run(
        [python, "-c", script], cwd=tmp_path, env=outside(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_module_of_it_imports_alone(installed: Path, tmp_path: Path) -> None:
    script = (
        "import importlib, pkgutil, sys, warnings; warnings.simplefilter('error');"
        "import mcp_gateway.agent as a, coordination.engine as e;"
        "names = [m.name for p in (a, e) for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.')];"
        "[importlib.import_module(n) for n in names if not n.endswith('__main__')]; print(len(names))"
    )
    python = installed.with_name("python.exe" if os.name == "nt" else "python")
    done = subprocess.run([python, "-c", script], cwd=tmp_path, env=outside(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


def test_it_runs_from_there(installed: Path, checkout: Path) -> None:
    session = Session(checkout, command=[str(installed)])
    del session.env["PYTHONPATH"]
    try:
        assert session("--version", at=checkout).out == f"interlock {VERSION}\n"
        assert session("status").code == 0
        done = session("claim", "README.md", "--json")
        assert done.code == 0 and done.json["holder"]["agent"] == "ada-lovelace"
        assert session("claims", "--mine").out.count("clm_") == 1
        assert session("release", "--all").code == 0
    finally:
        session.end()

"""The agents' command, had from the platform."""

import io
import subprocess
import sys
import zipfile

import httpx
import pytest

from tests.web import running_web


@pytest.fixture(scope="module")
def web():
    with running_web() as web:
        yield web


def test_the_wheel_has_the_agent_and_the_engine_and_nothing_else(web):
    found = httpx.get(f"{web.url}/agent/", follow_redirects=True)
    assert found.url.path.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(io.BytesIO(found.content)).namelist()
    ours = {name.split("/")[0] for name in names if not name.partition("/")[0].endswith(".dist-info")}
    assert ours == {"coordination", "mcp_gateway"}
    assert all(name.startswith(("coordination/engine/", "coordination/__init__")) for name in names if name[0] == "c")
    assert "mcp_gateway/agent/__init__.py" in names and "mcp_gateway/asgi.py" not in names


def test_pip_takes_it_without_any_dependency(web, tmp_path):
    name = httpx.get(f"{web.url}/agent/").headers["Location"]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*pip, "--target", str(tmp_path), web.url + name], check=True, capture_output=True)
    asked = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import mcp_gateway.agent"]
    subprocess.run([*asked, str(tmp_path)], check=True)


def test_it_is_asked_for_again_by_its_etag(web):
    first = httpx.get(f"{web.url}/agent/", follow_redirects=True)
    again = httpx.get(first.url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_another_file_is_not_there_and_says_which_is(web):
    found = httpx.get(f"{web.url}/agent/interlock-9-py3-none-any.whl")
    assert found.status_code == 404 and "-py3-none-any.whl" in found.json()["detail"]
    assert httpx.post(f"{web.url}/agent/").status_code == 405

"""What is typed, as ground."""

from pathlib import Path

import pytest

from mcp_gateway.agent.ground import pattern
from mcp_gateway.agent.output import UserError
from mcp_gateway.agent.repo import Checkout, checkout_of
from tests.agent.desk import repository


@pytest.fixture
def app(tmp_path: Path) -> Checkout:
    """A checkout with some files."""
    found = checkout_of(repository(tmp_path / "app", "README.md", "src/auth/login.py", "odd:name", "src/[id]/page.tsx"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("README.md", "file:README.md"),
        ("./README.md", "file:README.md"),
        ("src", "src"),
        ("src/", "src/"),
        ("src/auth/login.py", "file:src/auth/login.py"),
        ("src/../README.md", "file:README.md"),
        ("new.py", "new.py"),
        ("src/**/*.py", "src/**/*.py"),
        (".", "**"),
        ("src/[id]/page.tsx", "file:src/[id]/page.tsx"),
        ("odd:name", "file:odd:name"),
        ("odd:other/x", "odd:other/x"),
        ("branch:main", "branch:main"),
        ("port:8000", "port:8000"),
        ("file:README.md", "file:README.md"),
    ],
)
def test_a_path_is_made_relative_to_the_repository(app: Checkout, typed: str, meant: str) -> None:
    assert pattern(typed, app, app.top) == meant


def test_a_path_is_taken_from_the_working_directory(app: Checkout) -> None:
    here = app.top / "src/auth"
    assert pattern("login.py", app, here) == "file:src/auth/login.py"
    assert pattern("*.py", app, here) == "src/auth/*.py"
    assert pattern("../../README.md", app, here) == "file:README.md"
    assert pattern(str(app.top / "src"), app, here) == "src"


def test_a_link_into_the_checkout_is_the_checkout(app: Checkout, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(app.top)
    assert pattern("login.py", app, tmp_path / "alias/src/auth") == "file:src/auth/login.py"
    assert pattern(str(tmp_path / "alias/src/auth/login.py"), app, app.top) == "file:src/auth/login.py"


def test_exact_and_tree_say_what_cannot_be_seen(app: Checkout) -> None:
    assert pattern("new.py", app, app.top, exact=True) == "file:new.py"
    assert pattern("README.md", app, app.top, tree=True) == "README.md"
    with pytest.raises(UserError, match="wildcards"):
        pattern("src/*.py", app, app.top, exact=True)


def test_a_path_outside_is_refused(app: Checkout) -> None:
    with pytest.raises(UserError, match="lies outside of the checkout"):
        pattern("../other/file.py", app, app.top)


def test_without_a_checkout_paths_are_the_repositorys(tmp_path: Path) -> None:
    assert pattern("src/a.py", None, tmp_path) == "src/a.py"
    with pytest.raises(UserError, match="from the repository's root"):
        pattern("/etc/passwd", None, tmp_path)

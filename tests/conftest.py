"""Fixtures of the whole suite. What needs Django is imported inside them: the engine's tests shall start at once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.client import Api
    from tests.making import Place
    from tests.web import Web


def pytest_addoption(parser: pytest.Parser) -> None:
    """What is left out unless it is asked for, because it needs more than this checkout."""
    parser.addoption("--npm", action="store_true", help="run what needs clients from npm (tests/mcp); so does CI=true")


@pytest.fixture(scope="session", autouse=True)
def _database_open(django_db_blocker):
    """Every test commits for real, in a team of its own; nothing is rolled back or truncated."""
    django_db_blocker.unblock()


@pytest.fixture(scope="session")
def web() -> "Iterator[Web]":
    """A real web process; a traceback in its log fails the run."""
    from tests.web import running_web

    with running_web() as process:
        yield process
        log = process.said()
    assert "Traceback" not in log, log[-5000:]


@pytest.fixture
def place() -> "Place":
    """A fresh team."""
    from tests.making import make_place

    return make_place()


@pytest.fixture
def alice(web: "Web", place: "Place") -> "Api":
    """The owner, with a token that may do everything."""
    from tenants.permissions import Permission
    from tests.client import Api

    return Api(web.url, place, token=place.token(*Permission))


@pytest.fixture
def bob(web: "Web", place: "Place") -> "Api":
    """A teammate with too small a role: a viewer, signed in to the dashboard."""
    from tests.web import browser, join, make_person

    person = make_person("bob")
    join(place, person, "viewer")
    return browser(web, place, person)


@pytest.fixture
def charlie(web: "Web", place: "Place") -> "Api":
    """A stranger: may do everything in a team of their own, and asks about this one."""
    from tenants.permissions import Permission
    from tests.client import Api
    from tests.making import make_place

    return Api(web.url, place, token=make_place().token(*Permission))


@pytest.fixture
def agent(web: "Web", place: "Place") -> "Api":
    """A run of an agent with an ordinary agent's token."""
    from tests.client import Api

    return Api(web.url, place, token=place.token()).run("tester")


@pytest.fixture
def nobody(web: "Web", place: "Place") -> "Api":
    """No credential at all."""
    from tests.client import Api

    return Api(web.url, place)

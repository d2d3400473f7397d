"""A desk for the tests of the command."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agent.desk import Session, repository, wire


@pytest.fixture
def checkout(tmp_path: Path, web, place) -> Path:
    """A repository that is wired to the server, with an agent's token."""
    folder = repository(tmp_path / "app")
    wire(folder, web.url, place.token(), f"{place.slug}/{place.project}")
    return folder


@pytest.fixture
def session(checkout: Path) -> Iterator[Callable[..., Session]]:
    """Makes sessions in the checkout; they end with the test."""
    made: list[Session] = []

    def make(cwd: Path | None = None, **env: str) -> Session:
        made.append(Session(cwd or checkout, **env))
        return made[-1]

    yield make
    for one in made:
        one.end()

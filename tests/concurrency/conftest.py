"""Fixtures of the races."""

from collections.abc import Iterator

import pytest

from tests.concurrency import watching
from tests.concurrency.crew import Crew


@pytest.fixture(scope="session")
def crew() -> Iterator[Crew]:
    """Processes that race."""
    crew = Crew()
    yield crew
    crew.close()
    watching.forget()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Races share one worker: their processes have the machine to themselves as far as that can be."""
    for item in items:
        if "tests/concurrency/" in item.nodeid:
            item.add_marker(pytest.mark.xdist_group("races"))

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

"""The engine's tests need neither a database nor pytest-django."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _database_open() -> None:
    """Instead of the fixture of the whole suite, which asks pytest-django to open the database."""

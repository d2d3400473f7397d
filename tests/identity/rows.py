"""The rows of docs/identity.md, and the tests that show them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

PAGE = Path(__file__).resolve().parents[2] / "docs/identity.md"
Test = TypeVar("Test", bound=Callable[..., object])
_ROW = re.compile(r"^\| `([a-z]+-[a-z-]+)` \|", re.MULTILINE)


def row(*ids: str) -> Callable[[Test], Test]:
    """Says which rows a test shows."""

    def mark(test: Test) -> Test:
        test.rows = ids  # type: ignore[attr-defined]
        return test

    return mark


def told() -> list[str]:
    """The rows of the page, by their ids."""
    return _ROW.findall(PAGE.read_text(encoding="utf-8"))

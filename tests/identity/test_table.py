"""The table of docs/identity.md and its tests are one: each row is shown, and nothing is shown that is not a row."""

import ast
import re
from collections import Counter
from pathlib import Path

from tests.identity.rows import PAGE, told

HERE = Path(__file__).parent


def shown() -> dict[str, list[str]]:
    """For each row the tests that say they show it."""
    found: dict[str, list[str]] = {}
    for file in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "row":
                        for argument in mark.args:
                            found.setdefault(str(ast.literal_eval(argument)), []).append(f"{file.name}:{node.name}")
    return found


def test_each_row_has_a_test_and_each_test_a_row() -> None:
    rows = told()
    assert Counter(rows) == Counter(set(rows)) and len(rows) > 25
    assert set(rows) == set(shown())


def test_every_test_of_identity_says_which_row_it_shows() -> None:
    without = [
        f"{file.name}:{node.name}"
        for file in sorted(HERE.glob("test_*.py"))
        if file.name != "test_table.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not any(ast.unparse(mark).startswith("row(") for mark in node.decorator_list)
    ]
    assert without == []


def test_each_row_names_a_tool_that_has_a_section() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for heading in ("Claude Code", "Codex", "Cursor", "Gemini", "Plain MCP", "Plain shell"):
        assert re.search(rf"^## {heading}$", text, re.MULTILINE), heading

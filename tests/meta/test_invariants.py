"""docs/invariants.md and the tests: each invariant is shown by one at least, and no test shows an unknown one."""

import ast
import re
from collections.abc import Iterator

from tests.meta.code import ROOT, modules

_ROW = re.compile(r"^\| (INV-\d\d) \| (.+) \|$", re.MULTILINE)


def listed() -> list[str]:
    """The ids of the table, in order."""
    return [number for number, _ in _ROW.findall((ROOT / "docs/invariants.md").read_text())]


def shown() -> Iterator[tuple[str, str]]:
    """(id, file) of every mark, on tests, classes, modules and parameters."""
    for module in modules("tests"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.invariant":
                [argument] = node.args
                assert isinstance(argument, ast.Constant) and isinstance(argument.value, str), module.name
                yield argument.value, module.name


def test_the_ids_rise_without_a_gap() -> None:
    assert listed() == [f"INV-{number:02d}" for number in range(1, len(listed()) + 1)]


def test_every_invariant_is_shown_by_a_test() -> None:
    assert set(listed()) - {number for number, _ in shown()} == set()


def test_every_mark_names_an_invariant_that_is_there() -> None:
    assert {(number, name) for number, name in shown() if number not in listed()} == set()

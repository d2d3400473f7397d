"""Habits of this code base that no other tool looks after."""

import ast
from collections import Counter
from collections.abc import Iterator

from tests.meta.code import ALLOWANCES, PRODUCT, Module, called, functions, modules

MAX_MODULE, MAX_FUNCTION = 400, 40


def test_modules_and_functions_stay_small() -> None:
    # The list may only shrink: what got shorter is shortened there, too.
    sources = modules(*PRODUCT, "tests", "docs/examples")
    long_modules = {m.name: n for m in sources if (n := len(m.text.splitlines())) > MAX_MODULE}
    long_functions = {
        f"{module.name}: {function.name}": lines
        for module in sources
        for function in functions(module.tree)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION
    }
    assert long_modules == ALLOWANCES["modules"]
    assert long_functions == ALLOWANCES["functions"]


def sleeps(module: Module) -> Iterator[int]:
    """Lines of sleeps outside a loop: waits for a time, instead of for something."""
    in_loops = {
        id(node)
        for loop in ast.walk(module.tree)
        if isinstance(loop, ast.While | ast.For | ast.AsyncFor)
        for node in ast.walk(loop)
    }
    for node in ast.walk(module.tree):
        if called(node) in ("time.sleep", "asyncio.sleep", "sleep") and id(node) not in in_loops:
            assert isinstance(node, ast.Call)
            if ast.unparse(node.args[0]) != "0":  # which only lets others run
                yield node.lineno


def test_no_test_waits_for_a_time_instead_of_a_condition() -> None:
    found = Counter(module.name for module in modules("tests") for _ in sleeps(module))
    assert found == ALLOWANCES["sleeps"]


def test_the_rule_on_sleeps_tells_a_wait_from_a_poll() -> None:
    text = "import time\ntime.sleep(1)\nwhile not done():\n    time.sleep(0.01)\n"
    assert list(sleeps(Module("m.py", text, ast.parse(text)))) == [2]


def test_clocks_are_read_with_their_zone_or_from_the_database() -> None:
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in modules("coordination", "tenants")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and called(node) in ("datetime.now", "datetime.utcnow", "timezone.now", "time.time")
    ]
    assert wrong == [], "time is the database's: clock_timestamp(), read after the locks"


def test_row_locks_say_how_strong_they_are() -> None:
    # FOR UPDATE would also stop whoever only refers to the row: foreign keys of every claim to its instance.
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in modules(*PRODUCT)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and called(node).endswith(".select_for_update")
        if "no_key" not in {keyword.arg for keyword in node.keywords}
    ]
    assert wrong == []

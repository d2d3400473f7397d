"""The engine is pure: standard library only, and of that nothing that reads clocks, files or chance."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import coordination.engine

FILES = sorted(Path(coordination.engine.__file__).parent.glob("**/*.py"))
IMPURE = {
    "asyncio", "io", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "signal", "socket",
    "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip
MAX_LINES, MAX_FUNCTION = 400, 40


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Relative imports of one dot stay in the engine.
            yield node.module or "" if node.level == 0 else "." * (node.level - 1)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_engine_imports_only_the_pure_part_of_the_standard_library(path: Path) -> None:
    for name in _imports(ast.parse(path.read_text())):
        top = name.split(".")[0]
        assert not name.startswith("."), f"{path.name} reaches out of the engine"
        assert top == "" or (top in sys.stdlib_module_names and top not in IMPURE), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_engine_never_reads_the_clock_or_prints(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"now", "utcnow", "today"}, path.name
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval", "__import__"}, path.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_modules_and_functions_stay_small_and_public_ones_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert node.name.startswith("_") or ast.get_docstring(node), f"{path.name}: {node.name}"
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION, f"{path.name}: {node.name}"


def test_the_files_are_found() -> None:
    assert {"patterns.py", "overlap.py", "decide.py", "locks.py"} <= {path.name for path in FILES}

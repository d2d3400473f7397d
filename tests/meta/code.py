"""The source of the project as syntax trees, and what was allowed to differ from the rules."""

import ast
import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("coordination", "tenants", "dashboard", "mcp_gateway", "deploy")
ALLOWANCES: dict[str, Any] = json.loads((ROOT / "tests/meta/allowances.json").read_text())
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """One source file."""

    name: str
    text: str
    tree: ast.Module


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Every module below some folders, migrations and benchmarks left out."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).glob("**/*.py")):
            if not {"migrations", "bench"} & set(path.parts):
                text = path.read_text()
                found.append(Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text)))
    assert found
    return tuple(found)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function, methods and nested ones included."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def called(node: ast.AST) -> str:
    """The dotted name that a call calls, empty where there is none."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def tracked() -> list[Path]:
    """Every file that belongs to the project: what git knows, and what it does not ignore."""
    names = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(names, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [path for name in listed if name and (path := ROOT / name).is_file()]

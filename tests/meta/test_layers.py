"""Who may touch what: the contracts of import-linter, and what imports do not show."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.meta.code import ALLOWANCES, PRODUCT, ROOT, Module, called, functions, modules

# The ORM, and its managers, are for these; whoever else wants rows asks them.
_ORM = re.compile(r"(tenants|coordination)/(models|store|selectors|services|management)/|tenants/isolation\.py")
_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|SET LOCAL|(CREATE|ALTER|DROP) [A-Z]+|GRANT|REVOKE)\b")
_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


def test_the_import_contracts_hold(tmp_path: Path) -> None:
    run = "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"
    command = [sys.executable, "-c", run, "--cache-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kept, 0 broken" in done.stdout


def test_managers_of_models_are_used_in_the_lower_layers_only() -> None:
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in modules(*PRODUCT)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in ("objects", "_base_manager", "_default_manager")
        if not _ORM.match(module.name)
    ]
    assert wrong == []


def test_every_way_round_the_teams_scope_is_known_with_its_reason() -> None:
    found = Counter(
        f"{module.name}: {ast.literal_eval(node.keywords[0].value)}"
        for module in modules(*PRODUCT)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and called(node).rpartition(".")[2] in ("unscoped", "teamless")
        if module.name != "tenants/db.py"  # where teamless hands its reason on
    )
    assert found == ALLOWANCES["scope"]


def interpolated(module: Module) -> Iterator[str]:
    """Statements put together while the program runs, by anything but constants of the module."""
    for function in functions(module.tree):
        where = f"{module.name}: {function.name}"
        for node in ast.walk(function):
            if isinstance(node, ast.JoinedStr) and _is_sql(node):
                values = [v.value for v in node.values if isinstance(v, ast.FormattedValue)]
                if not all(isinstance(v, ast.Name) and _CONSTANT.fullmatch(v.id) for v in values):
                    yield where
            elif called(node).endswith(".format") and isinstance(node, ast.Call) and _formats_sql(module, node):
                yield where
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
                constants = [side for side in (node.left, node.right) if isinstance(side, ast.Constant)]
                if any(_is_sql(side) for side in constants):
                    yield where


def _is_sql(node: ast.AST) -> bool:
    text = "".join(n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return bool(_SQL.search(text))


def _formats_sql(module: Module, call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    if isinstance(receiver, ast.Constant):
        return _is_sql(receiver)
    constants = {
        target.id: node.value
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    value = constants.get(ast.unparse(receiver))
    return value is not None and _is_sql(value)


def test_sql_is_never_put_together_with_values() -> None:
    # What is put together all the same is listed, with why it cannot hold anything that came from outside.
    found = {where for module in modules(*PRODUCT) for where in interpolated(module)}
    assert found == set(ALLOWANCES["sql"])


def test_the_rule_on_sql_sees_each_way_of_putting_it_together() -> None:
    for line in (
        "f'SELECT {name}'",
        "'DELETE FROM x WHERE id = %s' % name",
        "'UPDATE x SET y = ' + name",
        "'SELECT {}'.format(name)",
        "_ROWS.format(name=name)",
    ):
        text = f"_ROWS = '\\nSELECT {{name}}'\nLIVE = 'true'\ndef find(name):\n    return {line}\n"
        assert list(interpolated(Module("m.py", text, ast.parse(text)))) == ["m.py: find"], line
    text = "LIVE = 'true'\ndef find(name):\n    return f'SELECT 1 WHERE {LIVE}'\n"
    assert list(interpolated(Module("m.py", text, ast.parse(text)))) == []

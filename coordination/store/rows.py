"""Stored ground as the engine's words."""

from coordination.engine.ground import Ground
from coordination.engine.patterns import Syntax, parse
from tenants.db import Row


def ground_of(row: Row) -> Ground:
    """One ground row (root, pattern, fold, scope, excepts) as the engine's ground. Stored text is in scope syntax."""
    fold = row["fold"]
    pattern = parse(row["pattern"], syntax=Syntax.SCOPE, fold=fold)[0]
    excepts = tuple(taken for text in row["excepts"] or () for taken in parse(text, syntax=Syntax.SCOPE, fold=fold))
    return Ground(row["root"], pattern, excepts, row["scope"])

"""The lock plan: which advisory locks a decision over some ground takes (concurrency.md, Lock registry, order
2).

Shared on every ancestor of a prefix, exclusive on the prefix: two grounds that could overlap have comparable
prefixes and so always share a key which one of them takes exclusively, while different directories run at the
same time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

LIMIT = 256


@dataclass(frozen=True, slots=True)
class LockKey:
    """One advisory lock.

    Attributes:
        key: signed 64-bit, from root and directory.
        exclusive: else shared.
    """

    key: int
    exclusive: bool


def lock_key(root: str, prefix: str) -> int:
    """The key of a directory: blake2b of root, NUL, prefix, as a signed 64-bit integer."""
    digest = hashlib.blake2b(f"{root}\0{prefix}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def plan(grounds: Iterable[tuple[str, str]], *, limit: int = LIMIT) -> tuple[LockKey, ...]:
    """The locks to take, sorted by key, each once with its strongest mode.

    Args:
        grounds: (root key, literal prefix) of every pattern the decision touches.
        limit: most keys. Over it, the deepest prefixes are coarsened to their parents, level by level, till
            it fits. There is always at least one key for each root.

    Coarsening keeps the rule: a parent taken exclusively is on the way to everything below it.
    """
    levels, exclusive = _levels(set(grounds))
    keep = _levels_within(levels, limit)
    if keep < len(levels):
        # Whatever goes deeper is coarsened to the last level kept.
        exclusive |= {(root, path.rpartition("/")[0]) for root, path in levels[keep]}
    modes: dict[int, bool] = {}
    for node in chain.from_iterable(levels[:keep]):
        key = lock_key(*node)
        modes[key] = node in exclusive or modes.get(key, False)
    return tuple(LockKey(key, modes[key]) for key in sorted(modes))


Node = tuple[str, str]


def _levels(grounds: set[Node]) -> tuple[list[set[Node]], set[Node]]:
    """Every prefix and ancestor by depth (0: roots), and the prefixes themselves.

    Climbs from each prefix only until it meets a directory that is already there: 20,000 prefixes share most.
    """
    levels: list[set[Node]] = [set()]
    for root, prefix in grounds:
        path, depth = prefix, prefix.count("/") + 1 if prefix else 0
        while len(levels) <= depth:
            levels.append(set())
        while (root, path) not in levels[depth]:
            levels[depth].add((root, path))
            if depth == 0:
                break
            depth -= 1
            path = path.rpartition("/")[0]
    return levels, grounds


def _levels_within(levels: list[set[Node]], limit: int) -> int:
    """How many levels, shallow first, have no more nodes together than `limit`; at least one."""
    total = 0
    for depth, nodes in enumerate(levels):
        total += len(nodes)
        if total > limit:
            return max(depth, 1)
    return len(levels)

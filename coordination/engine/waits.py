"""The wait graph: who waits for whom, circles in it, and which wait is given up.

Rule's source: claims.md, Queue, "Deadlock"; concurrency.md, Queue.

Nodes are holders. `edges[a]` are the holders `a` waits for; it needs all of them, so any way round is a
deadlock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping

from .modes import level
from .queue import BOOST_SECONDS, Entry


def find_cycle(start: str, edges: Mapping[str, Collection[str]]) -> list[str] | None:
    """A shortest circle through `start`, as the holders on it from `start` on (`start` is not repeated at the
    end).

    Of several shortest ones the first in the order of names, so that every process tells the same story. None
    when `start` is on no circle.
    """
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        holder = queue.popleft()
        for waited_for in sorted(edges.get(holder, ())):
            if waited_for == start:
                return _path(start, holder, came_from)
            if waited_for not in came_from:
                came_from[waited_for] = holder
                queue.append(waited_for)
    return None


def waits_for(start: str, target: str, edges: Mapping[str, Collection[str]]) -> bool:
    """Whether `start` waits for `target`, directly or through others."""
    seen = {start}
    stack = [start]
    while stack:
        for waited_for in edges.get(stack.pop(), ()):
            if waited_for == target:
                return True
            if waited_for not in seen:
                seen.add(waited_for)
                stack.append(waited_for)
    return False


def victim(cycle_entries: Iterable[Entry], boost_seconds: float = BOOST_SECONDS) -> str:
    """Id of the entry to give up: the lowest effective level, and of those the youngest (highest arrival).

    Raises:
        ValueError: no entries.
    """
    chosen = min(
        cycle_entries,
        key=lambda entry: (level(entry.urgency, entry.waited, boost_seconds), -entry.arrival, entry.id),
    )
    return chosen.id


def _path(start: str, end: str, came_from: Mapping[str, str]) -> list[str]:
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]

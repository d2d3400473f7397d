"""Is there a path that matches all of some shapes and none of others? The exact engine behind exceptions.

All shapes run side by side in one bit-parallel automaton: every shape owns a stretch of bits of one integer,
a bit per token, and reading a character is a few integer operations on all of them at once. The set of bits
is the (determinised) state; states are explored breadth first until one accepts. The alphabet is symbolic:
the characters and class borders that are mentioned, one stand-in for each set of characters no shape tells
apart, and `/`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .charset import LAST, SLASH, CharSet
from .segment import Wild
from .shape import DEEP, Shape, Tail

# States explored, wide ones counted several times: some tens of milliseconds at worst. Patterns people write
# need a few hundred.
BUDGET = 5_000
_WIDE = 1024


@dataclass(slots=True)
class _Machine:
    """The shapes as one automaton; every mask has a bit per position.

    Attributes:
        chars: character -> positions that name it and step forward on it.
        classes: (set, positions) which step forward on a member.
        any: positions that step forward on every character but `/`.
        loop: positions that stay on every character but `/`.
        slash: positions that step forward on `/`.
        back: positions that step one back on `/` (`**` between two of its segments).
        skip: stars: reached with the position, so is the next.
        deep: `**`: reached with the position, so is the second next.
        inside: positions in the tail of a directory pattern, from which whatever follows is accepted.
        accept: per shape, its accepting positions.
        extent: per shape, all its positions.
    """

    chars: dict[str, int] = field(default_factory=dict)
    classes: list[tuple[CharSet, int]] = field(default_factory=list)
    any: int = 0
    loop: int = 0
    slash: int = 0
    back: int = 0
    skip: int = 0
    deep: int = 0
    inside: list[int] = field(default_factory=list)
    accept: list[int] = field(default_factory=list)
    extent: list[int] = field(default_factory=list)
    start: int = 0
    width: int = 0

    def add(self, shape: Shape) -> None:
        """Append a shape's positions."""
        first = 1 << self.width
        self.start |= first
        segments = shape.segments
        for at, segment in enumerate(segments):
            if segment is DEEP:
                self._deep()
                continue
            if segment.only_stars:
                self.any |= self._next()
            for token in segment.tokens:
                self._token(token)
            if at + 1 < len(segments) or shape.tail is Tail.BELOW:
                self.slash |= self._next()
        accept = inside = 0
        if shape.tail is not Tail.BELOW:
            accept = self._next()
        if shape.tail is Tail.SELF_OR_BELOW:
            self.slash |= accept
        if shape.tail is not Tail.EXACT:
            head, body = self._next(), self._next()
            self.any |= head
            self.loop |= body
            self.back |= body
            accept |= body
            inside = head | body
        self.accept.append(accept)
        self.inside.append(inside)
        self.extent.append((1 << self.width) - first)

    def _next(self) -> int:
        bit = 1 << self.width
        self.width += 1
        return bit

    def _deep(self) -> None:
        head, body = self._next(), self._next()
        self.deep |= head
        self.any |= head
        self.loop |= body
        self.back |= body

    def _token(self, token: str | CharSet | Wild) -> None:
        bit = self._next()
        if isinstance(token, str):
            self.chars[token] = self.chars.get(token, 0) | bit
        elif isinstance(token, CharSet):
            self.classes.append((token, bit))
        elif token is Wild.ANY:
            self.any |= bit
        else:
            self.loop |= bit
            self.skip |= bit

    def close(self, state: int) -> int:
        """The state with what its `**` and stars let it skip."""
        # `**` first: a star may come right after it, but between a star and a `**` there is a `/`.
        state |= (state & self.deep) << 2
        return state | (state & self.skip) << 1

    def forward(self) -> list[int]:
        """Which positions step forward, for each set of characters (other than `/`) that are told apart."""
        cuts = {0, SLASH, SLASH + 1}
        for char in self.chars:
            cuts |= {ord(char), ord(char) + 1}
        for members, _ in self.classes:
            for low, high in members.ranges:
                cuts |= {low, high + 1}
        masks = {self._mask(chr(cut)): None for cut in sorted(cuts) if cut != SLASH and cut <= LAST}
        # The stand-in for unmentioned characters is the one that moves fewest positions; it comes first.
        return sorted(masks, key=lambda mask: (mask.bit_count(), mask))

    def _mask(self, char: str) -> int:
        mask = self.any | self.chars.get(char, 0)
        for members, bits in self.classes:
            if char in members:
                mask |= bits
        return mask


def find_path(must: Sequence[Shape], never: Sequence[Shape], *, budget: int = BUDGET) -> bool | None:
    """Whether some path is in all of `must` (at least one) and in none of `never`.

    Args:
        must: shapes the path has to match; together they see to it that no segment is empty.
        never: shapes it must not match.
        budget: most states to explore; a state of more than 1,024 positions counts once for each 1,024.

    Returns:
        The exact answer, or None when the budget ran out.
    """
    machine = _Machine()
    for shape in (*must, *never):
        machine.add(shape)
    wanted = len(must)
    refused = sum(machine.accept[wanted:])
    swallowed = sum(machine.inside[wanted:])
    start = machine.close(machine.start)
    forward = machine.forward()
    seen = {start}
    queue = deque([start])
    cost = 1 + machine.width // _WIDE
    while queue:
        budget -= cost
        if budget < 0:
            return None
        for state in _steps(machine, forward, queue.popleft()):
            if state in seen or state & swallowed or not all(state & e for e in machine.extent[:wanted]):
                continue
            if not state & refused and all(state & a for a in machine.accept[:wanted]):
                return True
            seen.add(state)
            queue.append(state)
    return False


def _steps(machine: _Machine, forward: Sequence[int], state: int) -> Iterator[int]:
    """The states one character further on; equal ones are given once where that is cheap to see."""
    close = machine.close
    moved = (state & machine.slash) << 1 | (state & machine.back) >> 1
    if moved:
        yield close(moved)
    loop = state & machine.loop
    last = -1
    for mask in forward:
        step = state & mask
        if step != last:
            last = step
            yield close(step << 1 | loop)

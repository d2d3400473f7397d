"""A slow model of claims and their queue: ground is a set of paths out of a small world, decisions are loops.

It says what a request must be answered; where the order of equals is nobody's business (which of several circles is
broken first) it only says what is possible.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import product

from coordination.engine.ground import read
from coordination.engine.modes import Mode, compatible

PATTERNS = ("a/x", "file:a/b", "a/b", "a/*", "a/y", "a/**", "**/x", "d/x", "**")


def _world() -> dict[frozenset[str], str]:
    """For each set of patterns that some path is in all of and in no other: such a path."""
    parsed = {text: read(text, fold=False)[0] for text in PATTERNS}
    paths = ("/".join(names) for depth in (1, 2, 3) for names in product("abdxyz", repeat=depth))
    return {frozenset(text for text, one in parsed.items() if one.matches(path)): path for path in paths}


COVERS = {text: frozenset(path for within, path in _world().items() if text in within) for text in PATTERNS}


@dataclass(frozen=True)
class Part:
    """One pattern less its exceptions."""

    pattern: str
    excepts: tuple[str, ...] = ()

    @property
    def cover(self) -> frozenset[str]:
        return COVERS[self.pattern].difference(*(COVERS[text] for text in self.excepts))


def cover(parts: Iterable[Part]) -> frozenset[str]:
    """The paths of some parts."""
    return frozenset().union(*(part.cover for part in parts))


@dataclass
class Claim:
    """Held in its row: live, or lapsed and not yet taken over."""

    holder: str
    mode: Mode
    parts: tuple[Part, ...]
    fence: int
    lapsed: bool = False

    @property
    def cover(self) -> frozenset[str]:
        return cover(self.parts)


@dataclass(frozen=True)
class Entry:
    """Waiting."""

    id: str
    holder: str
    mode: Mode
    parts: tuple[Part, ...]
    urgency: int
    arrival: int
    boosts: int = 0

    @property
    def cover(self) -> frozenset[str]:
        return cover(self.parts)

    @property
    def rank(self) -> tuple[int, int]:
        return -min(3, self.urgency + self.boosts), self.arrival


@dataclass
class Model:
    """Everything that is held and waited for."""

    claims: dict[str, Claim] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    fences: list[tuple[frozenset[str], int]] = field(default_factory=list)

    def in_the_way(self, holder: str, mode: Mode, ground: frozenset[str], *, lapsed: bool = False) -> list[str]:
        """Ids of the claims that conflict: the live ones, or those that have lapsed."""
        return [
            claim_id
            for claim_id, claim in self.claims.items()
            if claim.lapsed is lapsed
            and claim.holder != holder
            and not compatible(claim.mode, mode)
            and claim.cover & ground
        ]

    def blocked(self, me: Entry) -> bool:
        """Whether an earlier entry is in the way of one that no claim is in the way of."""
        earlier = [
            other
            for other in self.entries.values()
            if other.rank < me.rank
            and other.holder != me.holder
            and not compatible(other.mode, me.mode)
            and other.cover & me.cover
        ]
        ready = self._could_be_granted(earlier)
        return any(
            (other.boosts or other.id in ready) and not self._reaches(other.holder, me.holder) for other in earlier
        )

    def _could_be_granted(self, entries: list[Entry]) -> set[str]:
        granted: list[Entry] = []
        reserved: list[Entry] = []
        for entry in sorted(entries, key=lambda entry: entry.rank):
            ahead = [
                other
                for other in granted + reserved
                if other.holder != entry.holder and not compatible(other.mode, entry.mode) and other.cover & entry.cover
            ]
            if not ahead and not self.in_the_way(entry.holder, entry.mode, entry.cover):
                granted.append(entry)
            elif entry.boosts:
                reserved.append(entry)
        return {entry.id for entry in granted}

    def _edges(self, *, entries_too: bool) -> dict[str, set[str]]:
        edges: dict[str, set[str]] = {}
        for entry in self.entries.values():
            mine = edges.setdefault(entry.holder, set())
            mine.update(
                self.claims[claim_id].holder for claim_id in self.in_the_way(entry.holder, entry.mode, entry.cover)
            )
            if entries_too:
                mine.update(
                    other.holder
                    for other in self.entries.values()
                    if other.boosts
                    and other.rank < entry.rank
                    and other.holder != entry.holder
                    and not compatible(other.mode, entry.mode)
                    and other.cover & entry.cover
                )
        return edges

    def _reaches(self, start: str, target: str) -> bool:
        return target in _reached(start, self._edges(entries_too=True))

    def circle(self, holder: str, new: Entry | None = None) -> bool:
        """Whether a holder waits for itself through others, with one more entry if given."""
        whole = replace_entries(self, new) if new else self
        return holder in _reached(holder, whole._edges(entries_too=False))

    def grant(self, claim_id: str, claim: Claim) -> None:
        """Enter a grant; lapsed claims in its way are over. Fences must rise over the same ground."""
        for over in self.in_the_way(claim.holder, claim.mode, claim.cover, lapsed=True):
            del self.claims[over]
        higher = [fence for ground, fence in self.fences if ground & claim.cover and fence >= claim.fence]
        assert not higher, f"fence {claim.fence} after {higher}"
        self.fences.append((claim.cover, claim.fence))
        self.claims[claim_id] = claim

    def live(self) -> dict[str, tuple[str, Mode, frozenset[str]]]:
        """Live claims, to be compared with the database."""
        return {
            claim_id: (claim.holder, claim.mode, claim.cover)
            for claim_id, claim in self.claims.items()
            if not claim.lapsed
        }


def replace_entries(model: Model, more: Entry) -> Model:
    """The model with one more entry."""
    return replace(model, entries=model.entries | {more.id: more})


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    frontier = [start]
    while frontier:
        for other in edges.get(frontier.pop(), ()):
            if other not in found:
                found.add(other)
                frontier.append(other)
    return found

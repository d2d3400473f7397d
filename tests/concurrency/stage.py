"""Setting the stage, and judging what came of it: what is live in the database, in the engine's words."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from uuid import UUID

from coordination.engine.ground import Ground, ground_meets
from coordination.engine.modes import Mode, compatible
from coordination.engine.overlap import covers_path
from coordination.services import presence
from coordination.store import grounds
from coordination.store.scenes import ground_of
from tenants import ids, ledger
from tenants.db import Row, transaction
from tenants.principal import Principal
from tests.concurrency.watching import until
from tests.making import Place

OWNER = os.environ["MIGRATE_DATABASE_URL"]

_LIVE = """
SELECT c.id, c.holder_id, c.mode, c.fence, c.lock_keys FROM coordination_claim c
JOIN tenants_project p ON p.team_id = c.team_id AND p.id = c.project_id
JOIN coordination_instance h ON h.team_id = c.team_id AND h.id = c.holder_id
WHERE c.team_id = %s AND c.state = 'held' AND c.expires_at > clock_timestamp()
  AND (p.idle_limit_s = 0 OR h.last_seen + make_interval(secs => p.idle_limit_s + p.grace_s) > clock_timestamp())
ORDER BY c.fence
"""


@dataclass(frozen=True)
class Held:
    """A live claim."""

    id: str
    holder: UUID
    mode: Mode
    fence: int
    grounds: tuple[Ground, ...]

    def meets(self, other: "Held") -> bool:
        """Whether some path is in both."""
        return any(ground_meets(mine, theirs) for mine in self.grounds for theirs in other.grounds)


def live(place: Place) -> list[Held]:
    """What is held in a team, oldest grant first."""
    with transaction(place.team_id) as tx:
        rows = tx.run(_LIVE, [place.team_id]).fetchall()
        ground: dict[UUID, list[Ground]] = {}
        for row in grounds.of_claims(tx, [row["id"] for row in rows]):
            ground.setdefault(row["claim_id"], []).append(ground_of(row))
    return [
        Held(
            ids.show("clm", row["id"]),
            row["holder_id"],
            Mode(row["mode"]),
            row["fence"],
            tuple(ground.get(row["id"], ())),
        )
        for row in rows
    ]


def meeting_pairs(held: list[Held]) -> list[tuple[str, str]]:
    """Pairs of claims that must not stand beside each other."""
    return [
        (one.id, other.id)
        for one, other in combinations(held, 2)
        if one.holder != other.holder and not compatible(one.mode, other.mode) and one.meets(other)
    ]


def assert_apart(place: Place) -> list[Held]:
    """INV-01, over everything live; what is live."""
    held = live(place)
    assert not meeting_pairs(held), held
    return held


def uuid(public: str) -> UUID:
    """The id behind a public one."""
    found = ids.parse(public.partition("_")[0], public)
    assert found is not None
    return found


show = ids.show


def query(place: Place, statement: str, *parameters: object) -> list[Row]:
    """Rows of a statement over a team; its parameters by place, or one dict."""
    named = parameters[0] if len(parameters) == 1 and isinstance(parameters[0], dict) else parameters
    with transaction(place.team_id) as tx:
        return tx.run(statement, named).fetchall()


def lapse(place: Place, claim_id: str) -> None:
    """Let a claim's time be over."""
    query(
        place,
        "UPDATE coordination_claim SET expires_at = clock_timestamp() - interval '1 s' WHERE team_id = %s AND id = %s",
        place.team_id,
        uuid(claim_id),
    )


def fall_silent(place: Place, claim_id: str) -> None:
    """Let the holder of a claim not have been heard of for a day."""
    presence.flush()
    query(
        place,
        "UPDATE coordination_instance SET last_seen = clock_timestamp() - interval '1 day'"
        " WHERE team_id = %s AND id = (SELECT holder_id FROM coordination_claim WHERE team_id = %s AND id = %s)",
        place.team_id,
        place.team_id,
        uuid(claim_id),
    )


def vanish(place: Place, claim_id: str) -> None:
    """Release a claim as a process does that dies right after its commit: whoever waits is not served by it."""
    query(
        place,
        "WITH gone AS (UPDATE coordination_ground SET active = false WHERE team_id = %(team)s AND claim_id = %(id)s)"
        " UPDATE coordination_claim SET state = 'released', ended_at = clock_timestamp()"
        " WHERE team_id = %(team)s AND id = %(id)s",
        {"team": place.team_id, "id": uuid(claim_id)},
    )


def age(place: Place, entry_id: str, seconds: int = 61) -> None:
    """Let an entry have waited that much longer."""
    query(
        place,
        "UPDATE coordination_queueentry SET enqueued_at = enqueued_at - make_interval(secs => %s)"
        " WHERE team_id = %s AND id = %s",
        seconds,
        place.team_id,
        uuid(entry_id),
    )


def widow(place: Place, entry_id: str) -> None:
    """Let the time be over for which an entry counts without its process renewing it."""
    query(
        place,
        "UPDATE coordination_queueentry SET waiter_until = clock_timestamp() - interval '1 s'"
        " WHERE team_id = %s AND id = %s",
        place.team_id,
        uuid(entry_id),
    )


def entry(place: Place, entry_id: str) -> Row:
    """An entry's row."""
    return query(
        place,
        "SELECT * FROM coordination_queueentry WHERE team_id = %s AND id = %s",
        place.team_id,
        uuid(entry_id),
    )[0]


def claims_made(place: Place) -> int:
    """How many claims there ever were."""
    found = query(place, "SELECT count(*) AS many FROM coordination_claim WHERE team_id = %s", place.team_id)
    return int(found[0]["many"])


def told(place: Place) -> list[Row]:
    """Every event of the project there is, published; in order."""
    until(lambda: ledger.publish(place.team_id, place.project_id) is not None, "somebody keeps the publisher's turn")
    with transaction(place.team_id) as tx:
        return ledger.read(tx, place.project_id, after=0, limit=1_000_000)


def kinds(place: Place, **of: Any) -> list[str]:
    """The types of a team's events, in order; ``subject`` chooses."""
    return [row["type"] for row in told(place) if all(row[f"{k}_id"] == v for k, v in of.items())]


def entry_claim(place: Place, entry_id: str) -> str:
    """The claim that an entry was granted."""
    return ids.show("clm", entry(place, entry_id)["claim_id"])


def holder(agent: Principal) -> UUID:
    """The instance that holds what an agent claims."""
    return uuid((agent.instance or "").partition(".")[0])


def covered(ground: Ground, paths: Iterable[str]) -> list[str]:
    """The paths that are in some ground."""
    return [path for path in paths if covers_path(ground.pattern, ground.excepts, path)]

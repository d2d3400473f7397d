"""Deciding stays flat: with 100,000 held claims the hot calls still go by index, and run as few statements as ever."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coordination.engine.guard.types import Event, Touch
from coordination.services import claims, drains, instances, leases, sync, verify
from coordination.services.guard import judging
from coordination.services.guard.calls import HookCall
from coordination.services.requests import Change, ScopeRequest
from tenants import ledger
from tests.making import claim, make_place
from tests.planning import plans, statements
from tests.seeding import (
    seed_agents,
    seed_attestations,
    seed_claims,
    seed_events,
    seed_small_teams,
    seeded_path,
    unseed,
)
from tests.services.guarding import session

pytestmark = [pytest.mark.xdist_group("plans"), pytest.mark.invariant("INV-26")]

CLAIMS = 100_000
# Tables that grow with what is held. A step that goes through more of their rows than this grows with them.
GROWING = {
    "coordination_attestation",
    "coordination_claim",
    "coordination_ground",
    "coordination_instance",
    "tenants_event",
}
FEW = 500


class Full:
    """A team that holds very much, and two runs in it that hold nothing."""

    def __init__(self) -> None:
        self.owner = os.environ["MIGRATE_DATABASE_URL"]
        self.place = make_place()
        # Prepared statements are planned for the average team, so there are many small ones beside it.
        self.others = seed_small_teams(self.owner, 2000)
        seed_agents(self.owner, self.place, 20_000, name="past", ended=True)
        seed_claims(self.owner, self.place, CLAIMS, holders=300)
        seed_events(self.owner, self.place, CLAIMS)
        seed_attestations(self.owner, self.others, 2)
        seed_attestations(self.owner, [self.place], CLAIMS)
        self.one, self.other = seed_agents(self.owner, self.place, 2, name="late")
        self._number = 0

    def path(self) -> str:
        """A path beside many that are held, and free."""
        self._number += 1
        return f"seeded/d00007/free{self._number}.py"

    def held(self) -> str:
        """A claim just made."""
        answer = claim(self.one, self.path())
        assert answer.kind == "granted"
        return str(answer.body["id"])


@pytest.fixture(scope="module")
def full() -> Iterator[Full]:
    """Made once: it takes some seconds."""
    full = Full()
    yield full
    unseed(full.owner, full.place, *full.others)


def _claim(full: Full) -> Any:
    path = full.path()
    return lambda: claim(full.one, path)


def _claim_glob(full: Full) -> Any:
    path = full.path()
    return lambda: claim(full.one, f"{path}/**", f"{path}x/*.py", "branch:main")


def _claim_file(full: Full) -> Any:
    path = full.path()
    return lambda: claim(full.one, f"file:{path}")


def _refused(full: Full) -> Any:
    return lambda: claim(full.one, seeded_path(7))


def _check(full: Full) -> Any:
    scopes = tuple(ScopeRequest(seeded_path(n), literal_syntax=True) for n in range(100))
    return lambda: claims.check(full.one, "main", scopes=scopes)


def _check_free(full: Full) -> Any:
    scopes = (ScopeRequest(full.path(), literal_syntax=True),)
    return lambda: claims.check(full.one, "main", scopes=scopes)


def _release(full: Full) -> Any:
    held = full.held()
    return lambda: leases.release(full.one, "main", held)


def _release_near_a_waiter(full: Full) -> Any:
    held = claim(full.one, path := full.path()).body
    assert claim(full.other, path, wait_seconds=0).kind == "queued"
    return lambda: leases.release(full.one, "main", held["id"])


def _renew(full: Full) -> Any:
    held = full.held()
    return lambda: leases.renew(full.one, "main", held)


def _narrow(full: Full) -> Any:
    held = claim(full.one, f"{full.path()}/**").body
    scopes = (ScopeRequest(f"{held['scopes'][0]['pattern'][:-3]}/a/**", field="scopes.0"),)
    return lambda: leases.change(full.one, "main", held["id"], scopes=scopes)


def _take_over(full: Full) -> Any:
    held = claim(full.one, path := full.path(), ttl_seconds=1).body
    from tests.concurrency.stage import lapse

    lapse(full.place, held["id"])
    return lambda: claim(full.other, path)


def _enqueue(full: Full) -> Any:
    claim(full.one, path := full.path())
    return lambda: claim(full.other, path, wait_seconds=0)


def _drain(full: Full) -> Any:
    held = claim(full.one, path := full.path()).body
    claim(full.other, path, wait_seconds=0)
    from tests.concurrency.stage import vanish

    vanish(full.place, held["id"])
    return lambda: drains.drain(full.place.team_id, full.place.project_id)


def _heartbeat(full: Full) -> Any:
    full.held()
    return lambda: instances.heartbeat(full.one, "main", full.one.instance or "")


def _sync(full: Full) -> Any:
    full.held()
    return lambda: sync.sync(full.one, "main")


def _verify(full: Full) -> Any:
    changes = tuple(Change(seeded_path(n)) for n in range(100))
    return lambda: verify.verify(full.one, "main", repository=None, changes=changes)


def _attest(full: Full) -> Any:
    claim(full.one, path := full.path())
    return lambda: verify.verify(full.one, "main", changes=(Change(path, "a" * 40, "b" * 64),), attest=True)


def _verify_attested(full: Full) -> Any:
    changes = [Change(seeded_path(n), f"{n:040x}") for n in range(50)]
    changes += [Change(seeded_path(n), "", "", (f"{n:064x}",)) for n in range(50, 100)]
    return lambda: verify.verify(full.one, "main", changes=tuple(changes), against_attestations=True)


def _edit_by_handle(full: Full) -> Any:
    claim(full.one, path := full.path())
    touch = (Touch(path, "write"), Touch(seeded_path(7), "write"))
    return lambda: judging.judge(full.one, "main", HookCall(Event.PRE_TOOL, touches=touch))


def _edit_of_own(full: Full) -> Any:
    path = full.path()
    one = session(full.place, "editing", worktree="/w", host="box")
    assert one.edit(path)["decision"] == "allow"
    return lambda: one.edit(path)


def _first_touch(full: Full) -> Any:
    one = session(full.place, "editing", worktree="/w", host="box")
    one.start()
    return lambda: one.edit(full.path())


def _git_reset(full: Full) -> Any:
    one = session(full.place, "editing", worktree="/w", host="box")
    one.start()
    return lambda: one.git("git reset --hard", seeded_path(7))


def _prompt(full: Full) -> Any:
    one = session(full.place, "editing", worktree="/w", host="box")
    one.edit(full.path())
    return lambda: one.call("prompt")


def _publish(full: Full) -> Any:
    full.held()
    return lambda: ledger.publish(full.place.team_id, full.place.project_id)


CALLS: list[Callable[[Full], Callable[[], Any]]] = [
    _claim,
    _claim_glob,
    _claim_file,
    _refused,
    _check,
    _release,
    _release_near_a_waiter,
    _renew,
    _narrow,
    _take_over,
    _enqueue,
    _drain,
    _heartbeat,
    _sync,
    _verify,
    _attest,
    _verify_attested,
    _edit_by_handle,
    _edit_of_own,
    _first_touch,
    _git_reset,
    _prompt,
    _publish,
]


@pytest.mark.parametrize("make", CALLS, ids=lambda make: make.__name__.strip("_"))
def test_a_hot_call_goes_by_index_however_much_is_held(full: Full, make: Callable[[Full], Callable[[], Any]]) -> None:
    act = make(full)
    with plans() as steps:
        act()
    assert steps
    wide = [step for step in steps if step.table in GROWING and (step.node == "Seq Scan" or step.rows > FEW)]
    assert not wide, "\n".join(map(str, wide))


@pytest.mark.parametrize(
    ("make", "many"),
    [
        (_claim, 3),
        (_claim_file, 3),
        (_check_free, 1),
        (_check, 2),
        (_release, 2),
        (_renew, 5),
        (_refused, 4),
        (_verify, 2),
        (_edit_of_own, 2),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)).strip("_"),
)
def test_a_hot_call_runs_as_few_statements_as_it_needs(
    full: Full, make: Callable[[Full], Callable[[], Any]], many: int
) -> None:
    """Locks, look and write for a claim; BEGIN and COMMIT are not counted."""
    act = make(full)
    act()  # what is remembered is remembered now
    act = make(full)
    with statements() as seen:
        act()
    assert len(seen) == many, seen


def test_a_plan_that_reads_everything_is_seen(full: Full) -> None:
    """What the tests above look for is there to be found."""
    from tenants.db import transaction

    with plans() as steps, transaction(full.place.team_id) as tx:
        tx.run("SELECT count(*) FROM coordination_claim WHERE reason = %s", ["nothing"])
    assert {step.generic for step in steps if step.table == "coordination_claim" and step.rows >= CLAIMS} == {
        False,
        True,
    }

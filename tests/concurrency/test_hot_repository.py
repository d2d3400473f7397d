"""A repository whose ground is locked holds its own requests up, and nobody else's."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from coordination.engine.locks import lock_key
from tests.client import Api
from tests.concurrency.watching import holding, outside, until
from tests.making import Place, make_place
from tests.web import Web

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race"), pytest.mark.invariant("INV-24")]

CALLERS = 16
_STANDING = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objsubid = 1
   AND ((classid::bigint << 32) | objid::bigint) = %s
"""


def test_requests_stuck_behind_one_hot_repository_leave_other_teams_alone(web: Web) -> None:
    """All threads that the hot team may have stand at a lock; another team is answered while none of them is.

    They give up after their lock time-out, which a stalled machine may use up, so there are several rounds. Where the
    other team had to wait for a thread of the hot one, no round would end well.
    """
    hot, other = make_place(), make_place()
    runs = [Api(web.url, hot, token=hot.token()).run(f"a{n}") for n in range(CALLERS)]
    quiet = Api(web.url, other, token=other.token()).run("quiet")
    assert any(_undisturbed(runs, quiet, hot, number) for number in range(4))


def _undisturbed(runs: list[Api], quiet: Api, hot: Place, number: int) -> bool:
    """One round: whether the quiet team was answered before anybody of the hot one."""
    answered = threading.Event()

    def ask(n: int) -> int:
        # Not by `post`, which fails at a 503: this is where one is right.
        run, body = runs[n], {"paths": [f"hot{number}/{n}.py"]}
        status = run.http.post(run.address("P/claims"), json=body).status_code
        answered.set()
        return status

    root = lock_key(str(hot.repository_id), "")
    with ThreadPoolExecutor(CALLERS) as callers, outside() as watcher:
        with holding("SELECT pg_advisory_xact_lock(%s)", root):
            stuck = [callers.submit(ask, n) for n in range(len(runs))]
            until(lambda: watcher.execute(_STANDING, [root]).fetchone()[0] >= 2, "nobody stands at the lock")
            for n in range(3):
                assert quiet.claim(f"{number}-{n}.py").status_code == 201
            undisturbed = not answered.is_set()
        statuses = [one.result() for one in stuck]
    assert set(statuses) <= {201, 503}
    return undisturbed

"""The threads of the hot doors are shared fairly, whoever floods them."""

import asyncio
import threading

import pytest

from coordination.api.pool import FairPool
from tenants.problems import Problem


async def _pool(**limits) -> FairPool:
    return FairPool(asyncio.get_running_loop(), **limits)


def _run(test) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


def test_results_and_exceptions_come_back_to_who_asked():
    async def test():
        pool = await _pool(threads=2, per_team=2)
        assert await pool.run("a", "x", lambda: threading.current_thread().name) != threading.current_thread().name
        with pytest.raises(ZeroDivisionError):
            await pool.run("a", "x", lambda: 1 // 0)
        pool.drain()

    _run(test)


@pytest.mark.invariant("INV-24")
def test_a_flooding_team_leaves_threads_and_turns_to_another():
    async def test():
        pool = await _pool(threads=3, per_team=2)
        gate = threading.Event()
        flood = [pool.run("loud", "x", gate.wait) for _ in range(50)]
        assert await pool.run("quiet", "y", lambda: "at once") == "at once"
        while pool.running > 2:  # the quiet one's thread has answered and is on its way back
            await asyncio.sleep(0.001)
        assert (pool.running, pool.queued) == (2, 48)
        gate.set()
        await asyncio.gather(*flood)
        pool.drain()

    _run(test)


@pytest.mark.invariant("INV-24")
def test_a_team_alone_may_use_what_it_must_share_in_company():
    async def test():
        now = 0.0
        pool = await _pool(threads=4, per_team=4, in_company=1, clock=lambda: now)
        gate = threading.Event()
        alone = [pool.run("loud", "x", gate.wait) for _ in range(3)]
        while pool.running < 3:  # the threads are on their way
            await asyncio.sleep(0.001)
        assert await pool.run("quiet", "y", lambda: "at once") == "at once"
        more = [pool.run("loud", "x", gate.wait) for _ in range(2)]
        assert pool.queued == 2  # a thread is idle, and kept for company
        now = 60.0
        last = pool.run("loud", "x", gate.wait)
        while (pool.running, pool.queued) != (4, 2):  # in their order, on the thread that company left
            await asyncio.sleep(0.001)
        gate.set()
        await asyncio.gather(*alone, *more, last)
        pool.drain()

    _run(test)


@pytest.mark.invariant("INV-24")
def test_a_hot_project_leaves_its_team_a_thread():
    async def test():
        pool = await _pool(threads=3, per_team=3, per_project=2)
        gate = threading.Event()
        hot = [pool.run("team", "hot", gate.wait) for _ in range(10)]
        assert await pool.run("team", "calm", lambda: "at once") == "at once"
        gate.set()
        await asyncio.gather(*hot)
        pool.drain()

    _run(test)


def test_teams_take_turns_and_each_keeps_its_order():
    async def test():
        pool = await _pool(threads=1, per_team=1)
        gate, order = threading.Event(), []
        first = pool.run("zero", "x", gate.wait)
        jobs = [pool.run(team, "x", order.append, f"{team}{n}") for team in "ab" for n in range(3)]
        gate.set()
        await asyncio.gather(first, *jobs)
        assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]
        pool.drain()

    _run(test)


def test_a_full_backlog_is_refused_but_what_was_let_in_goes_on():
    async def test():
        pool = await _pool(threads=1, per_team=1, backlog=2)
        gate = threading.Event()
        jobs = [pool.run("a", "x", gate.wait) for _ in range(3)]
        with pytest.raises(Problem) as refused:
            pool.run("a", "x", gate.wait)
        assert refused.value.status == 503 and refused.value.headers["Retry-After"]
        jobs.append(pool.go_on("a", "x", gate.wait))
        jobs.append(pool.run("b", "x", gate.wait))
        gate.set()
        await asyncio.gather(*jobs)
        pool.drain()

    _run(test)


def test_what_nobody_waits_for_any_more_is_not_begun():
    async def test():
        pool = await _pool(threads=1, per_team=1)
        gate, begun = threading.Event(), []
        first = pool.run("a", "x", gate.wait)
        dropped = pool.run("a", "x", begun.append, "dropped")
        kept = pool.run("a", "x", begun.append, "kept")
        dropped.cancel()
        gate.set()
        await asyncio.gather(first, kept)
        assert begun == ["kept"]
        pool.drain()

    _run(test)


def test_nothing_is_remembered_of_teams_that_are_done():
    async def test():
        pool = await _pool(threads=2, per_team=2)
        await asyncio.gather(*[pool.run(f"team {n}", "x", lambda: None) for n in range(100)])
        for _ in range(100):
            if not pool.running:
                break
            await asyncio.sleep(0.01)
        assert not pool._teams and not pool._turn
        pool.drain()

    _run(test)


def test_many_jobs_of_many_teams_all_come_back_once():
    async def test():
        pool = await _pool(threads=8, per_team=3, per_project=2)
        jobs = [pool.run(n % 7, n % 11, lambda n=n: n) for n in range(5000) if n % 7]
        jobs_of_many = await asyncio.gather(*jobs)
        assert sorted(jobs_of_many) == [n for n in range(5000) if n % 7]
        pool.drain()

    _run(test)


def test_draining_finishes_what_waits():
    async def test():
        pool = await _pool(threads=2, per_team=1)
        done: list[int] = []
        for n in range(20):
            pool.send("a", "x", done.append, n)
        pool.drain()
        assert done == list(range(20))

    _run(test)

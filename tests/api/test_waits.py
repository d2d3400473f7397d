"""Holding a request: woken, timed, abandoned, and holding no thread meanwhile."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from coordination.api.pool import FairPool
from coordination.api.waits import Gone, Wait, block
from coordination.notify import hub
from coordination.services.results import Answer, Hold
from tenants.db import busy

WAITING = {"state": "waiting"}


@pytest.fixture(autouse=True)
def _listening():
    """The listener wakes everybody once, when it has connected: that shall be over before a test counts looks."""
    hub.subscribe((), lambda: None)
    deadline = time.monotonic() + 10
    while not hub.listening and time.monotonic() < deadline:
        time.sleep(0.01)


class Script:
    """A service's side of a wait, told what to answer."""

    def __init__(self, key: str, seconds: float = 10, look_again_s: float = 10) -> None:
        self.keys = frozenset({key})
        self.seconds = seconds
        self.look_again_s = look_again_s
        self.result: Answer | None = None
        self.looks = 0
        self.abandoned = threading.Event()
        self.on_look: Callable[[], None] = lambda: None

    def again(self) -> Answer:
        self.looks += 1
        self.on_look()
        return self.result or self.waiting()

    def waiting(self) -> Answer:
        return Answer("queued", WAITING, hold=self.hold())

    def hold(self) -> Hold:
        return Hold(
            self.keys,
            self.seconds,
            self.again,
            lambda: Answer("queued", {"state": "gave up"}),
            self.abandoned.set,
            self.look_again_s,
        )


class Line:
    """The client's end of a connection."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[dict] = asyncio.Queue()

    def hang_up(self) -> None:
        self.messages.put_nowait({"type": "http.disconnect"})


def _run(test) -> None:
    async def whole():
        pool = FairPool(asyncio.get_running_loop(), threads=2, per_team=2)
        try:
            await test(pool)
        finally:
            pool.drain()

    asyncio.run(asyncio.wait_for(whole(), 20))


async def _until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_a_wake_brings_the_answer():
    async def test(pool):
        script, line = Script("k1"), Line()
        task = asyncio.create_task(Wait(pool, "t", "p", line.messages.get).run(script.waiting()))
        await _until(lambda: script.looks == 1)
        script.result = Answer("granted", {"id": "clm"})
        hub.wake(["k1"])
        assert (await task).body == {"id": "clm"}
        assert not script.abandoned.is_set()

    _run(test)


def test_waiting_holds_no_thread():
    async def test(pool):
        scripts = [Script(f"many{n}") for n in range(50)]
        tasks = [asyncio.create_task(Wait(pool, "t", "p", Line().messages.get).run(s.waiting())) for s in scripts]
        await _until(lambda: all(s.looks for s in scripts))
        assert await pool.run("t", "p", lambda: "free") == "free"
        assert Wait.held >= 50
        for script in scripts:
            script.result = Answer("granted", {})
        hub.wake()
        await asyncio.gather(*tasks)

    _run(test)


def test_it_looks_again_by_itself_and_gives_up_in_time():
    async def test(pool):
        script = Script("k2", seconds=0.3, look_again_s=0.05)
        answer = await Wait(pool, "t", "p", Line().messages.get).run(script.waiting())
        assert answer.body == {"state": "gave up"}
        assert script.looks >= 3

    _run(test)


def test_new_keys_are_listened_to_and_looked_at_once():
    async def test(pool):
        script = Script("old")
        script.on_look = lambda: setattr(script, "keys", frozenset({"new"}))
        task = asyncio.create_task(Wait(pool, "t", "p", Line().messages.get).run(script.waiting()))
        await _until(lambda: script.looks == 2)
        script.result = Answer("granted", {})
        hub.wake(["old"])
        await asyncio.sleep(0.05)
        assert script.looks == 2
        hub.wake(["new"])
        assert (await task).kind == "granted"

    _run(test)


def test_a_client_that_goes_away_is_abandoned():
    async def test(pool):
        script, line = Script("k3"), Line()
        task = asyncio.create_task(Wait(pool, "t", "p", line.messages.get).run(script.waiting()))
        await _until(lambda: script.looks == 1)
        line.hang_up()
        with pytest.raises(Gone):
            await task
        await _until(script.abandoned.is_set)

    _run(test)


@pytest.mark.invariant("INV-11")
def test_a_grant_in_flight_when_the_client_goes_away_is_given_back_after_it():
    async def test(pool):
        script, line = Script("k4"), Line()
        begun, go = threading.Event(), threading.Event()
        script.result = Answer("granted", {})

        def look() -> None:
            begun.set()
            go.wait()
            assert not script.abandoned.is_set()

        script.on_look = look
        task = asyncio.create_task(Wait(pool, "t", "p", line.messages.get).run(script.waiting()))
        await _until(begun.is_set)
        line.hang_up()
        await asyncio.sleep(0.05)
        assert not script.abandoned.is_set()
        go.set()
        with pytest.raises(Gone):
            await task
        await _until(script.abandoned.is_set)

    _run(test)


def test_a_server_that_cancels_the_request_abandons_it_too():
    async def test(pool):
        for in_flight in (True, False):
            script = Script("k5")
            go = threading.Event()
            if in_flight:
                script.on_look = go.wait
            task = asyncio.create_task(Wait(pool, "t", "p", Line().messages.get).run(script.waiting()))
            await _until(lambda script=script: script.looks == 1)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert script.abandoned.is_set() is False or not in_flight
            go.set()
            await _until(script.abandoned.is_set)

    _run(test)


def test_a_busy_store_does_not_cost_the_place_in_the_line(monkeypatch):
    monkeypatch.setattr("coordination.api.waits._RETRY_S", 0.02)

    async def test(pool):
        script = Script("k6")

        def refuse_twice() -> None:
            if script.looks <= 2:
                raise busy()

        script.on_look = refuse_twice
        script.result = Answer("granted", {})
        assert (await Wait(pool, "t", "p", Line().messages.get).run(script.waiting())).kind == "granted"
        assert script.looks == 3

    _run(test)


def test_a_mistake_while_waiting_ends_the_wait_and_abandons_it():
    async def test(pool):
        script = Script("k7")

        def fail() -> None:
            raise ValueError

        script.on_look = fail
        with pytest.raises(ValueError):
            await Wait(pool, "t", "p", Line().messages.get).run(script.waiting())
        await _until(script.abandoned.is_set)

    _run(test)


def test_nothing_is_listened_to_afterwards():
    async def test(pool):
        script = Script("k8", seconds=0.05)
        await Wait(pool, "t", "p", Line().messages.get).run(script.waiting())
        assert "k8" not in hub._callbacks

    _run(test)


def test_the_session_door_blocks_its_thread_and_is_woken():
    script = Script("k9")
    threading.Timer(0.1, lambda: (setattr(script, "result", Answer("granted", {})), hub.wake(["k9"]))).start()
    assert block(script.waiting()).kind == "granted"
    assert script.looks in (2, 3)  # everybody looks once more when listening begins
    assert block(Script("k10").waiting(), longest=0.1).body == {"state": "gave up"}
    assert "k9" not in hub._callbacks and "k10" not in hub._callbacks

"""Processes that race: each is a spawned interpreter with Django set up, its own threads and connections.

A worker runs what it is told, a module-level function, and answers with its result. Whoever must start together
is told so in two steps: get ready, then go.
"""

import multiprocessing
import os
import secrets
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from tests.concurrency.watching import SECONDS, blocked, until

_CONTEXT = multiprocessing.get_context("spawn")
Call = tuple[Callable[..., Any], tuple[Any, ...]]


class Failed(AssertionError):
    """A worker's exception, with its traceback as text."""


looked: Any = None
"""In a worker: the counter behind ``Crew.meeting``, shared by all processes."""


def _serve(pipe: Connection, name: str, counter: Any) -> None:
    global looked
    looked = counter
    os.environ["INTERLOCK_PROCESS"] = name  # what Postgres shows as application_name
    import django

    django.setup()
    from django.db import connection

    connection.ensure_connection()
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        pipe.send("ready")
        pipe.recv()
        try:
            pipe.send((True, function(*arguments)))
        except BaseException as error:
            pipe.send((False, f"{error!r}\n{traceback.format_exc()}"))


class Worker:
    """One process. ``name`` is also its connections' application_name."""

    def __init__(self, counter: Any) -> None:
        self.name = f"race-{secrets.token_hex(6)}"
        self.busy = False
        self._pipe, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_serve, args=(theirs, self.name, counter), daemon=True)
        self.process.start()
        theirs.close()

    def prepare(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Hand over the work; it begins with ``go``."""
        self.busy = True
        self._pipe.send((function, arguments))
        assert self._pipe.poll(SECONDS), f"{self.name} does not get ready"
        assert self._pipe.recv() == "ready"

    def go(self) -> None:
        """Begin."""
        self._pipe.send("go")

    def start(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Begin the work; its result is had from ``result``."""
        self.prepare(function, *arguments)
        self.go()

    def result(self) -> Any:
        """What the work answered. Raises Failed with the worker's traceback."""
        assert self._pipe.poll(SECONDS), f"{self.name} does not answer"
        well, answer = self._pipe.recv()
        self.busy = False
        if not well:
            raise Failed(answer)
        return answer

    def done(self) -> bool:
        """Whether the result is there."""
        return self._pipe.poll(0)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Begin and wait for the result."""
        self.start(function, *arguments)
        return self.result()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.join(SECONDS)
        self._pipe.close()


class Crew:
    """Workers for a whole session, made when first asked for."""

    def __init__(self) -> None:
        self._looked = _CONTEXT.Value("i", 0)
        self._workers: list[Worker] = []

    def workers(self, count: int) -> list[Worker]:
        """That many, idle. What a failed test left at work is ended."""
        for worker in self._workers:
            if worker.busy and worker.process.is_alive():
                worker.kill()
        self._workers = [worker for worker in self._workers if worker.process.is_alive()]
        while len(self._workers) < count:
            self._workers.append(Worker(self._looked))
        self._looked.value = 0
        return self._workers[:count]

    def looked(self) -> int:
        """How many have arrived at their meeting since ``workers`` was asked."""
        return int(self._looked.value)

    def race(self, calls: Sequence[Call]) -> list[Any]:
        """All calls at once, each in a process of its own; their results, in order."""
        workers = self.workers(len(calls))
        for worker, (function, arguments) in zip(workers, calls, strict=True):
            worker.prepare(function, *arguments)
        for worker in workers:
            worker.go()
        return [worker.result() for worker in workers]

    def meeting(self, calls: Sequence[Call]) -> list[Any]:
        """``race`` for functions that call ``meet``: each gets the names of all racers after its arguments."""
        names = [worker.name for worker in self.workers(len(calls))]
        return self.race([(function, (*arguments, names)) for function, arguments in calls])

    @contextmanager
    def doomed(self) -> Iterator[Worker]:
        """One of its own, to be killed."""
        worker = Worker(self._looked)
        try:
            yield worker
        finally:
            if worker.process.is_alive():
                worker.kill()

    def close(self) -> None:
        """End all; none has anything to do."""
        for worker in self._workers:
            if worker.process.is_alive():
                worker.kill()


class Meeting:
    """In a worker: lets nobody write before all have looked or stand at a lock that keeps them from looking.

    This is what makes a race that a lock prevents certain to happen when the lock is off.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._arrived = False

    def arrive(self) -> None:
        """Say that this racer has looked, or is through without."""
        if not self._arrived:
            self._arrived = True
            with looked.get_lock():
                looked.value += 1

    def meet(self) -> None:
        """Arrive, and wait for the others."""
        self.arrive()
        until(lambda: looked.value + blocked(self._names) >= len(self._names), "the racers do not meet")

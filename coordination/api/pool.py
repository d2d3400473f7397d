"""Long-lived threads for the hot doors, shared fairly (concurrency.md, "Lock registry").

Handlers are synchronous and keep their database connection per thread. A hot repository waiting on its locks,
or one flooding team, must not hold every thread: teams take turns, and so do the projects of a team; each may
run only so many at once. Contextvars are not carried over: a job opens its own scope from an explicit
principal.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from tenants.problems import Code, Problem

log = logging.getLogger(__name__)

BACKLOG = 2000
# So long after two teams took turns, both still count as being about.
COMPANY_S = 1.0
_Job = tuple["_Project", Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any] | None"]


class Mailbox:
    """Calls from threads into the event loop; what comes in one burst costs the loop one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._due = False

    def post(self, call: Callable[..., object], *arguments: Any) -> None:
        """Run ``call`` on the loop soon; from any thread, never blocks."""
        self._calls.append((call, arguments))
        if not self._due:
            self._due = True
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop has closed: nobody is left to tell
                self._calls.clear()

    def _deliver(self) -> None:
        # Lowered before emptying: a post that sees it raised is emptied below, one that does not schedules
        # again.
        self._due = False
        calls = self._calls
        while calls:
            call, arguments = calls.popleft()
            try:
                call(*arguments)
            except Exception:
                log.exception("a call into the event loop failed")


class _Project:
    __slots__ = ("jobs", "key", "running", "team")

    def __init__(self, key: Hashable, team: "_Team") -> None:
        self.key = key
        self.team = team
        self.jobs: deque[_Job] = deque()
        self.running = 0


class _Team:
    __slots__ = ("key", "projects", "queued", "running", "turn")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.projects: dict[Hashable, _Project] = {}
        self.turn: deque[_Project] = deque()  # projects with jobs waiting
        self.running = 0
        self.queued = 0


class FairPool:
    """``threads`` threads; at most ``per_team`` of them for one team and ``per_project`` for one project.

    While several teams are about, each may run only ``in_company`` at once: what runs cannot be interrupted, so a
    flooding team's jobs on all cores would be felt by everybody else's, however soon those get a thread.
    ``backlog`` bounds what one team may have waiting; more is refused as ``busy``.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        threads: int,
        per_team: int,
        per_project: int | None = None,
        in_company: int | None = None,
        backlog: int = BACKLOG,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mailbox = Mailbox(loop)
        self._loop = loop
        self._per_team = max(1, min(per_team, threads))
        self._per_project = max(1, min(per_project or self._per_team, self._per_team))
        self._in_company = max(1, min(in_company or self._per_team, self._per_team))
        self._latest: Hashable = None  # the team that asked last
        self._company_until = 0.0
        self._clock = clock
        self._backlog = backlog
        self._lock = threading.Lock()
        self._teams: dict[Hashable, _Team] = {}
        self._turn: deque[_Team] = deque()  # teams with jobs waiting
        self._idle = 0
        self._handed: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"hot-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queued(self) -> int:
        """Jobs that wait for a thread."""
        return sum(team.queued for team in list(self._turn))

    @property
    def running(self) -> int:
        """Jobs on a thread."""
        return sum(team.running for team in list(self._teams.values()))

    def run(
        self, team: Hashable, project: Hashable, function: Callable[..., Any], *arguments: Any
    ) -> "asyncio.Future[Any]":
        """The result of ``function(*arguments)`` on a thread, as a future; from the loop only.

        Raises Problem ``busy`` when this team has too many waiting already.
        """
        future = self._loop.create_future()
        if not self._submit(team, project, function, arguments, future, limited=True):
            raise Problem(
                Code.BUSY,
                "Your team has too many requests waiting.",
                headers={"Retry-After": "1"},
                retry_after=1,
            )
        return future

    def go_on(
        self, team: Hashable, project: Hashable, function: Callable[..., Any], *arguments: Any
    ) -> "asyncio.Future[Any]":
        """As ``run``, for what was let in before and must not be refused now."""
        future = self._loop.create_future()
        self._submit(team, project, function, arguments, future, limited=False)
        return future

    def send(self, team: Hashable, project: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        """As ``go_on``, with nobody interested in the result; failures are logged. From any thread."""
        self._submit(team, project, function, arguments, None, limited=False)

    def _submit(
        self,
        team_key: Hashable,
        project_key: Hashable,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        future: "asyncio.Future[Any] | None",
        *,
        limited: bool,
    ) -> bool:
        with self._lock:
            team = self._teams.get(team_key)
            if team is None:
                team = self._teams[team_key] = _Team(team_key)
            project = team.projects.get(project_key)
            if project is None:
                project = team.projects[project_key] = _Project(project_key, team)
            job = (project, function, arguments, future)
            self._notice(team_key)
            if self._idle and not team.queued and team.running < self._most() and project.running < self._per_project:
                # A thread is idle, so whatever waits is held back by a limit: this one goes ahead of nobody.
                self._idle -= 1
                team.running += 1
                project.running += 1
                self._handed.put(job)
                return True
            if limited and team.queued >= self._backlog:
                self._forget(project)
                return False
            if not team.queued:
                self._turn.append(team)
            if not project.jobs:
                team.turn.append(project)
            project.jobs.append(job)
            team.queued += 1
            self._hand_out()
            return True

    def _notice(self, team: Hashable) -> None:
        """Whether there is company: two teams have asked within a moment."""
        if team != self._latest:
            if self._latest is not None:
                self._company_until = self._clock() + COMPANY_S
            self._latest = team

    def _most(self) -> int:
        """How many threads one team may have now."""
        if self._in_company < self._per_team and self._clock() < self._company_until:
            return self._in_company
        return self._per_team

    def _hand_out(self) -> None:
        """Give idle threads what the limits allow by now; the lock is held."""
        while self._idle and self._turn:
            job = self._take()
            if job is None:
                return
            self._idle -= 1
            self._handed.put(job)

    def _work(self) -> None:
        finished: _Project | None = None
        while True:
            job = self._next(finished)
            if job is None:
                return
            finished, function, arguments, future = job
            try:
                if future is not None and future.cancelled():
                    continue  # its client went away before its turn came
                result = function(*arguments)
            except BaseException as error:
                if future is None:
                    log.exception("a background call failed")
                else:
                    self.mailbox.post(_fail, future, error)
            else:
                if future is not None:
                    self.mailbox.post(_settle, future, result)

    def _next(self, finished: _Project | None) -> _Job | None:
        with self._lock:
            if finished is not None:
                finished.running -= 1
                finished.team.running -= 1
                self._forget(finished)
            job = self._take()
            if job is not None:
                self._hand_out()  # company may have left since
                return job
            if self._stopping:
                return None
            self._idle += 1
        return self._handed.get()

    def _take(self) -> _Job | None:
        """The next job that limits allow, teams in turn and projects in turn; the lock is held."""
        most = self._most()
        for _ in range(len(self._turn)):
            team = self._turn.popleft()
            job = self._take_of(team) if team.running < most else None
            if team.queued:
                self._turn.append(team)
            if job is not None:
                return job
        return None

    def _take_of(self, team: _Team) -> _Job | None:
        for _ in range(len(team.turn)):
            project = team.turn.popleft()
            if project.running >= self._per_project:
                team.turn.append(project)
                continue
            job = project.jobs.popleft()
            team.queued -= 1
            if project.jobs:
                team.turn.append(project)
            project.running += 1
            team.running += 1
            return job
        return None

    def _forget(self, project: _Project) -> None:
        if not project.running and not project.jobs:
            team = project.team
            team.projects.pop(project.key, None)
            if not team.projects:
                self._teams.pop(team.key, None)

    def drain(self, seconds: float = 5.0) -> None:
        """Finish what runs and what waits, then end the threads; gives up on what takes longer."""
        with self._lock:
            self._stopping = True
            idle, self._idle = self._idle, 0
        for _ in range(idle):
            self._handed.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _settle(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)

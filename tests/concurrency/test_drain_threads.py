"""The threads that serve the queues of one process are shared by all teams."""

import threading
from collections import Counter
from uuid import UUID, uuid4

import pytest

from coordination.services.drains import Soon
from tests.concurrency.watching import SECONDS, until

pytestmark = pytest.mark.invariant("INV-24")


def test_a_team_whose_drains_are_stuck_leaves_threads_to_others() -> None:
    stuck, other = uuid4(), uuid4()
    go, served = threading.Event(), threading.Event()
    begun: list[UUID] = []

    def work(team_id: UUID, project_id: UUID) -> None:
        begun.append(team_id)
        if team_id == other:
            served.set()
        else:
            assert go.wait(SECONDS)

    soon = Soon(work, threads=4)
    for _ in range(20):
        soon.ask(stuck, uuid4())
    until(lambda: len(begun) == 2, "the stuck team has not its share")
    soon.ask(other, uuid4())
    assert served.wait(SECONDS)
    assert begun.count(stuck) == 2
    go.set()
    until(lambda: begun.count(stuck) == 20, "not every project was served")


def test_a_project_that_is_asked_for_all_the_time_takes_turns_with_others() -> None:
    busy, other = (uuid4(), uuid4()), (uuid4(), uuid4())
    runs: Counter[UUID] = Counter()
    served = threading.Event()

    def work(team_id: UUID, project_id: UUID) -> None:
        runs[project_id] += 1
        if project_id == other[1]:
            served.set()
        elif not served.is_set():
            soon.ask(*busy)
            if runs[project_id] == 5:
                soon.ask(*other)

    soon = Soon(work, threads=1)
    soon.ask(*busy)
    assert served.wait(SECONDS), "one project has the thread for good"
    until(lambda: not soon._asked, "it does not come to an end")
    assert runs[other[1]] == 1


def test_asked_while_it_runs_it_runs_once_more_and_never_beside_itself() -> None:
    key = (uuid4(), uuid4())
    inside, runs = [0], []
    go = threading.Event()

    def work(*_: UUID) -> None:
        inside[0] += 1
        runs.append(inside[0])
        assert go.wait(SECONDS)
        inside[0] -= 1

    soon = Soon(work)
    soon.ask(*key)
    until(lambda: runs, "it does not run")
    for _ in range(10):
        soon.ask(*key)
    go.set()
    until(lambda: not soon._asked, "it does not come to an end")
    assert runs == [1, 1]


def test_what_fails_does_not_stop_what_comes_after(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[UUID] = []

    def work(team_id: UUID, project_id: UUID) -> None:
        runs.append(project_id)
        raise ValueError("as an example")

    soon = Soon(work)
    team, projects = uuid4(), [uuid4() for _ in range(5)]
    for project in projects:
        soon.ask(team, project)
    until(lambda: sorted(runs) == sorted(projects), "one failure stopped the others")
    assert "drain failed" in caplog.text

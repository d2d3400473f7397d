"""The ledger's promise: a reader that resumes from its cursor sees every event once, in an order that stays.

Real processes with real commits (concurrency.md, "Ledger order").
"""

import pytest

from tenants import ledger
from tenants.db import transaction
from tenants.models import Event, LedgerHead
from tenants.problems import Code, Problem
from tests.tenants import ledger_processes as processes
from tests.tenants.people import SPAWN, as_app, make_team, spawn

WRITERS, TRANSACTIONS = 4, 40


@pytest.fixture
def stream(monkeypatch):
    """A fresh project's stream that nobody publishes unless the test does: (team id, project id, owner)."""
    monkeypatch.setattr(ledger, "listeners", [])
    place, owner = make_team()
    return place.team_id, place.project_id, owner


def append(stream, *subjects: str) -> None:
    team_id, project_id, owner = stream
    facts = [ledger.Fact("test.written", "test", subject) for subject in subjects]
    with transaction(team_id) as tx:
        ledger.append(tx, owner, facts, project_id=project_id)


def published(stream) -> list[tuple[int, str]]:
    team_id, project_id, _ = stream
    with transaction(team_id) as tx:
        rows = ledger.read(tx, project_id, after=0, limit=100_000)
    return [(row["seq"], row["subject_id"]) for row in rows]


def join(*running) -> None:
    for process in running:
        process.join(processes.TIMEOUT)
        assert process.exitcode == 0, process


@pytest.mark.race
def test_readers_see_every_event_once_in_one_order_although_writers_commit_out_of_order(stream):
    team_id, project_id, _ = stream
    started, others_seen = SPAWN.Barrier(WRITERS + 1), SPAWN.Event()
    last, found, naive = SPAWN.Value("i", 0), SPAWN.Queue(), SPAWN.Queue()
    readers = [spawn(processes.follow, team_id, project_id, last, found, page) for page in (1, 7, 100)]
    control = spawn(processes.follow_naively, team_id, project_id, last, naive, others_seen)
    slow = spawn(processes.write_slowly, team_id, project_id, started, others_seen)
    writers = [
        spawn(processes.write, team_id, project_id, f"w{number}", TRANSACTIONS, started) for number in range(WRITERS)
    ]
    join(*writers, slow)
    assert ledger.publish(team_id, project_id) is not None  # whatever a lost turn left over
    with transaction(team_id):
        written = set(Event.objects.filter(project_id=project_id).values_list("subject_id", flat=True))
        last.value = len(written)
    orders = [found.get(timeout=processes.TIMEOUT) for _ in readers]
    by_id = naive.get(timeout=processes.TIMEOUT)
    join(*readers, control)

    assert len(written) > WRITERS * TRANSACTIONS
    for seen in orders:
        assert [seq for seq, _ in seen] == list(range(1, len(written) + 1))
        assert {subject for _, subject in seen} == written
    assert orders[0] == orders[1] == orders[2] == published(stream)
    # The negative control: the same reader by event id never hears of who took its id first and committed last.
    assert "slow-0-0" not in by_id


def test_reading_by_event_id_misses_what_commits_late_and_reading_by_cursor_does_not(stream):
    """The same in four steps, on two connections."""
    team_id, project_id, _ = stream
    insert = (
        "INSERT INTO tenants_event (team_id, project_id, type, at, door, actor_kind, actor_id, actor_name,"
        " subject_kind, subject_id, request_id, address, data) VALUES (%s, %s, 'test.written', now(), 'test',"
        " 'worker', 'w', 'w', 'test', 'late', '', '', '{}')"
    )
    by_id = "SELECT id, subject_id FROM tenants_event WHERE project_id = %s AND id > %s ORDER BY id"
    with as_app() as late, as_app() as reader:
        late.execute("SELECT set_config('interlock.team', %s, true)", [str(team_id)])
        late.execute(insert, [team_id, project_id])
        append(stream, "early")
        ledger.publish(team_id, project_id)
        assert published(stream) == [(1, "early")]
        reader.execute("SELECT set_config('interlock.team', %s, false)", [str(team_id)])
        [(cursor, subject)] = reader.execute(by_id, [project_id, 0]).fetchall()
        late.commit()
        ledger.publish(team_id, project_id)
        assert subject == "early"
        assert reader.execute(by_id, [project_id, cursor]).fetchall() == []  # missed for good
    assert published(stream) == [(1, "early"), (2, "late")]


def test_a_publisher_killed_between_commit_and_number_loses_nothing(stream):
    """The writer's process died right after COMMIT; any other process finds the stream and goes on."""
    team_id, project_id, _ = stream
    append(stream, "a", "b")
    assert published(stream) == []
    assert (team_id, project_id) in ledger.unpublished()
    join(spawn(processes.publish_once, team_id, project_id))
    assert published(stream) == [(1, "a"), (2, "b")]
    assert (team_id, project_id) not in ledger.unpublished()


@pytest.mark.fault
def test_a_publisher_killed_before_its_commit_takes_its_numbers_with_it(stream):
    team_id, project_id, _ = stream
    append(stream, "a")
    ledger.publish(team_id, project_id)
    append(stream, "b", "c")
    numbered = SPAWN.Event()
    hung = spawn(processes.publish_and_hang, team_id, project_id, numbered)
    assert numbered.wait(processes.TIMEOUT)
    assert ledger.publish(team_id, project_id) is None  # it has the turn, and nobody waits for it
    assert published(stream) == [(1, "a")]
    hung.kill()
    hung.join(processes.TIMEOUT)
    while ledger.publish(team_id, project_id) is None:  # until the server has noticed
        pass
    assert published(stream) == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.race
def test_publishers_at_once_give_each_event_one_number_without_a_gap(stream):
    team_id, project_id, _ = stream
    total = 2 * ledger._BATCH + 137
    append(stream, *(f"e{number}" for number in range(total)))
    started = SPAWN.Barrier(3)
    join(*(spawn(processes.publish_in_race, team_id, project_id, started, total) for _ in range(3)))
    assert [seq for seq, _ in published(stream)] == list(range(1, total + 1))
    with transaction(team_id):
        assert LedgerHead.objects.filter(project_id=project_id).count() == 1


def test_what_was_rolled_back_leaves_no_gap(stream):
    team_id, project_id, owner = stream
    append(stream, "a")
    with pytest.raises(KeyError), transaction(team_id) as tx:
        ledger.append(tx, owner, [ledger.Fact("test.written", "test", "never")], project_id=project_id)
        raise KeyError
    append(stream, "b")
    ledger.publish(team_id, project_id)
    assert published(stream) == [(1, "a"), (2, "b")]


def test_facts_of_one_transaction_keep_their_order(stream):
    append(stream, *"edcba")
    ledger.publish(*stream[:2])
    assert [subject for _, subject in published(stream)] == list("edcba")


def test_team_and_projects_are_streams_of_their_own(stream):
    team_id, project_id, owner = stream
    append(stream, "in the project")
    with transaction(team_id) as tx:
        ledger.append(tx, owner, [ledger.Fact("test.written", "test", "of the team")], project_id=None)
    assert ledger.publish(team_id, None) is not None
    assert published(stream) == []
    with transaction(team_id) as tx:
        rows = ledger.read(tx, None, after=0, limit=1000)
    assert [row["subject_id"] for row in rows] == ["of the team"]
    ledger.publish(team_id, project_id)
    assert published(stream) == [(1, "in the project")]


def test_a_cursor_below_what_retention_left_says_where_to_start(stream):
    team_id, project_id, _ = stream
    append(stream, *"abcde")
    ledger.publish(team_id, project_id)
    with transaction(team_id) as tx:
        LedgerHead.objects.filter(project_id=project_id).update(oldest_seq=4)
        with pytest.raises(Problem) as caught:
            ledger.read(tx, project_id, after=2, limit=10)
        assert (caught.value.code, caught.value.extra) == (Code.CURSOR_EXPIRED, {"oldest_cursor": "3"})
        assert [row["seq"] for row in ledger.read(tx, project_id, after=3, limit=10)] == [4, 5]


def test_listeners_hear_after_the_commit_and_not_after_a_rollback(stream, monkeypatch):
    team_id, project_id, owner = stream
    heard = []
    monkeypatch.setattr(ledger, "listeners", [lambda *told: heard.append(told[:2])])
    fact = ledger.Fact("test.written", "test", "x")
    with transaction(team_id) as tx:
        ledger.record(tx, owner, fact, project_id=project_id)
        assert heard == []
    assert heard == [(team_id, project_id)]
    with pytest.raises(KeyError), transaction(team_id) as tx:
        ledger.record(tx, owner, fact, project_id=project_id)
        raise KeyError
    assert len(heard) == 1

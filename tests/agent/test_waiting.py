"""A wait is many short requests: it outlives a proxy that cuts them off, and a server that is restarted."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.agent import cli, waiting
from mcp_gateway.agent.context import Context
from tests.agent.desk import Session, repository, wire
from tests.agent.stub import Asked, Reply, stub
from tests.agent.test_commands import wait_for_entry
from tests.web import running_web

ENTRY = {"id": "que_1", "state": "waiting", "position": 1, "urgency": "normal", "deadline": "2030-01-01T00:00:00Z"}
CUT = Reply(504, b"<html>gateway time-out</html>")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that one stands in, as a run that is named."""
    folder = repository(tmp_path / "app")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("INTERLOCK_INSTANCE", "ins_1.1")
    return folder


def test_it_is_cut_into_slices_that_a_proxy_lets_pass(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "SLICE", 7)
    claim = {"id": "clm_1", "scopes": [], "fence": 1, "mode": "exclusive", "state": "held", "expires_at": None}
    replies = [Reply(202, ENTRY | {"scopes": []})] * 3 + [CUT] * 4
    replies += [Reply(200, ENTRY | {"scopes": [], "state": "granted", "claim": claim})]
    with stub(lambda number, asked: replies[number]) as server:
        wire(app, server.url, "ilk_agent_abcdefgh", "acme/web")
        assert cli.main(["claim", "README.md", "--wait", "100"]) == 0
    assert "claimed" in capsys.readouterr().out
    first, *rest = server.asked
    assert json.loads(first.body)["wait_seconds"] == 0  # the place in the queue comes first
    assert {asked.path.partition("?")[2] for asked in rest} == {"wait_seconds=7"}
    assert {asked.path.partition("?")[0].rpartition("/")[2] for asked in rest} == {"que_1"}


def test_it_ends_when_its_time_is_over_and_the_place_is_given_up(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(number: int, asked: Asked) -> Reply:
        if asked.method == "DELETE":
            return Reply(200, ENTRY | {"scopes": [], "state": "cancelled", "ended_why": "cancelled by ada"})
        return Reply(202, ENTRY | {"scopes": []})

    with stub(answer) as server:
        wire(app, server.url, "ilk_agent_abcdefgh", "acme/web")
        assert cli.main(["claim", "README.md", "--wait", "1"]) == 1
    assert server.asked[-1].method == "DELETE"
    assert "not claimed: cancelled by ada" in capsys.readouterr().out


def test_what_is_wrong_is_not_waited_out(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = {"code": "not_found", "detail": "There is no such queue entry here."}
    with stub(lambda number, asked: Reply(404, gone)) as server:
        wire(app, server.url, "ilk_agent_abcdefgh", "acme/web")
        assert cli.main(["wait", "que_1"]) == 2
    assert len(server.asked) == 1
    assert "no such queue entry" in capsys.readouterr().err


def test_a_server_that_stays_away_is_told_when_the_time_is_over(app: Path, free_port: int) -> None:
    wire(app, f"http://127.0.0.1:{free_port}", "ilk_agent_abcdefgh", "acme/web")
    context = Context()
    with pytest.raises(waiting.Unreachable):
        waiting.for_entry(context, ENTRY, 1)


def test_a_wait_outlives_a_restart_of_the_server(tmp_path: Path, place: Any, free_port: int) -> None:
    app = repository(tmp_path / "app")
    wire(app, f"http://127.0.0.1:{free_port}", place.token(), f"{place.slug}/main")
    ada, ben = Session(app), Session(app, INTERLOCK_AGENT="ben")
    try:
        with running_web(port=free_port) as web:
            assert ada("claim", "README.md").code == 0
            running = ben.start("claim", "README.md", "--wait", "60", "--json")
            wait_for_entry(ada, running)
            web.process.kill()
        with running_web(port=free_port):
            assert ada("release", "--all").code == 0
            out, err = running.communicate(timeout=60)
        assert (running.returncode, err) == (0, ""), out
        assert json.loads(out)["state"] == "held"
    finally:
        ada.end()
        ben.end()

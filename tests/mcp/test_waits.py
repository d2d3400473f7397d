"""Calls that are held: woken, given up in time, left by clients that go away, ended by a server that stops."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from coordination.services.results import Answer, Hold
from mcp_gateway.tools.base import LONGEST_WAIT_S
from mcp_gateway.visit import _shorter
from tests.client import Api
from tests.concurrency.watching import until
from tests.making import make_place
from tests.mcp.speaking import BOTH, ERAS, Mcp
from tests.web import Web, running_web


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def server(request, web) -> Iterator[Web]:
    """Each web server in turn."""
    if request.param == "uvicorn":
        yield web
        return
    with running_web("daphne") as process:
        yield process
        process.process.terminate()
        process.process.wait(20)
        log = process.said()
    assert "Traceback" not in log and "was destroyed" not in log, log[-3000:]


class Pair:
    """Two runs in one project, and somebody who looks."""

    def __init__(self, web: Web, era: str) -> None:
        self.place = make_place()
        self.ada, self.bob = (Mcp(web, self.place, self.place.token(), era=era).join(name) for name in ("ada", "bob"))
        self.api = Api(web.url, self.place, token=self.place.token())

    def queue(self, state: str) -> list:
        return self.api.get("P/queue", params={"state": state}).json()["items"]

    def held(self) -> list:
        return self.api.get("P/claims", params={"state": "held"}).json()["items"]


@pytest.fixture
def pair(server, era) -> Pair:
    return Pair(server, era)


def test_a_release_brings_the_waiters_answer(pair):
    pair.ada.call("claim", paths=["x.py"])
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(pair.bob.call, "claim", paths=["x.py"], wait_seconds=40)
        until(lambda: pair.queue("waiting"))
        pair.ada.call("release", all=True)
        told = waiting.result(20)
    assert told.text.startswith("GRANTED") and told.body["holder"]["agent"] == "bob"


def test_a_message_wakes_whoever_waits_for_mail(pair):
    with ThreadPoolExecutor() as threads:
        mail = threads.submit(pair.bob.call, "message", action="wait")
        news = threads.submit(Mcp.call, _again(pair.ada), "sync", wait_seconds=40)
        until(lambda: "interlock_waiting_requests 2.0" in pair.api.http.get("/metrics").text)
        pair.ada.call("message", action="send", to="all", text="hello")
        assert '"hello"' in mail.result(20).text and '"hello"' in news.result(20).text


def _again(client: Mcp) -> Mcp:
    """The same run on a connection of its own."""
    other = Mcp.__new__(Mcp)
    other.__dict__ = dict(client.__dict__)
    other.http = type(client.http)(base_url=client.http.base_url, timeout=60, headers=client.http.headers)
    return other


def test_a_wait_in_vain_answers_the_entry(pair):
    pair.ada.call("claim", paths=["x.py"])
    told = pair.bob.call("claim", paths=["x.py"], wait_seconds=1)
    assert told.body["state"] == "waiting" and "NOT GRANTED YET" in told.text and not told.mistake


def test_no_call_is_held_longer_than_clients_wait():
    def never() -> Answer:
        raise AssertionError

    long, short = (
        _shorter(Answer("queued", {}, hold=Hold(frozenset(), seconds, never, never, lambda: None)))
        for seconds in (600.0, 3.0)
    )
    assert long.hold and short.hold
    assert (long.hold.seconds, short.hold.seconds) == (LONGEST_WAIT_S, 3.0) and LONGEST_WAIT_S < 60


def _hang_up(client: Mcp, arguments: dict, condition, *, accept: str = BOTH) -> None:
    """Call claim and close the connection once ``condition`` holds."""
    message = client.message("tools/call", {"name": "claim", "arguments": arguments | {"instance": client.instance}})
    body = json.dumps(message).encode()
    where = urlsplit(str(client.http.base_url))
    headers = {**client.headers(message), "Host": where.netloc, "Content-Length": len(body), "Accept": accept}
    headers["Authorization"] = client.http.headers["Authorization"]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((where.hostname, where.port)) as line:
        line.sendall(f"POST {client.path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        until(condition)


@pytest.mark.invariant("INV-11")
@pytest.mark.parametrize("accept", [BOTH, "application/*"], ids=["short way", "by the manager"])
def test_a_client_that_goes_away_leaves_the_queue_and_is_never_granted(pair, accept):
    pair.ada.call("claim", paths=["x.py"])
    asked = {"paths": ["x.py"], "wait_seconds": 40}
    _hang_up(pair.bob, asked, lambda: pair.queue("waiting"), accept=accept)
    [entry] = until(lambda: pair.queue("cancelled"))
    assert entry["ended_why"] == "the client went away"
    pair.ada.call("release", all=True)
    assert pair.held() == []
    assert not pair.bob.call("claim", paths=["x.py"]).mistake
    until(lambda: "interlock_waiting_requests 0.0" in pair.api.http.get("/metrics").text)


def test_a_call_that_is_taken_back_by_its_id_leaves_the_queue(server):
    # How clients of the years before 2026 cancel: their request stays open.
    pair = Pair(server, "2025-06-18")
    pair.ada.call("claim", paths=["x.py"])
    wait = {"name": "claim", "arguments": {"paths": ["x.py"], "wait_seconds": 40, "instance": pair.bob.instance}}
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "mine"}}
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(_again(pair.bob).send, pair.bob.message("tools/call", wait, id="mine"))
        until(lambda: pair.queue("waiting"))
        for params in ({"requestId": "another"}, {"requestId": None}, {}, {"requestId": ["mine"]}):
            assert pair.bob.send(cancel | {"params": params}).status_code < 500
        assert pair.ada.send(cancel).status_code == 202  # another token's
        assert pair.queue("waiting") and not waiting.done()
        assert pair.bob.send(cancel).status_code == 202
        answer = waiting.result(20).json()
    assert (answer["id"], answer["error"]["code"]) == ("mine", -32800)
    assert until(lambda: pair.queue("cancelled"))
    pair.ada.call("release", all=True)
    assert pair.held() == []


def test_of_two_calls_with_one_id_none_is_taken_back(server):
    pair = Pair(server, "2025-06-18")
    pair.ada.call("claim", paths=["x.py"])
    wait = {"name": "claim", "arguments": {"paths": ["x.py"], "wait_seconds": 40, "instance": pair.bob.instance}}
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    with ThreadPoolExecutor() as threads:
        calls = [threads.submit(_again(pair.bob).send, pair.bob.message("tools/call", wait, id=7)) for _ in range(2)]
        until(lambda: len(pair.queue("waiting")) == 2)
        assert pair.bob.send(cancel).status_code == 202
        pair.ada.call("release", all=True)
        assert all("GRANTED" in call.result(20).text for call in calls)  # one run's: they do not exclude each other


def test_a_request_with_a_key_may_come_back_for_its_place(pair):
    pair.ada.call("claim", paths=["x.py"])
    asked = {"paths": ["x.py"], "wait_seconds": 40, "idempotency_key": "k"}
    _hang_up(pair.bob, asked, lambda: pair.queue("waiting"))
    until(lambda: not pair.queue("waiting")[0]["held"])
    pair.ada.call("release", all=True)
    assert pair.bob.call("claim", **asked).text.startswith("GRANTED")


@pytest.mark.parametrize("name", ["uvicorn", "daphne"])
def test_a_server_that_stops_grants_nothing_to_those_who_waited(name):
    place = make_place()
    with running_web(name) as web, running_web() as other:
        ada = Mcp(other, place, place.token()).join("ada")
        waiters = [Mcp(web, place, place.token(), era=era).join(f"bob{n}") for n, era in enumerate(ERAS)]
        ada.call("claim", paths=["x.py"])
        threads = [threading.Thread(target=_claim_in_vain, args=(waiter,)) for waiter in waiters]
        for thread in threads:
            thread.start()
        looking = Api(other.url, place, token=place.token())
        until(lambda: len(looking.get("P/queue").json()["items"]) == 2)
        os.kill(web.process.pid, signal.SIGTERM)
        assert web.process.wait(30) is not None
        for thread in threads:
            thread.join(20)
        ada.call("release", all=True)
        until(lambda: not looking.get("P/claims", params={"state": "held"}).json()["items"])


def _claim_in_vain(client: Mcp) -> None:
    try:
        told = client.call("claim", paths=["x.py"], wait_seconds=40)
    except Exception:
        return  # the connection was closed under it
    assert not told.text.startswith("GRANTED")

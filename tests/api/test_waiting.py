"""Requests that are held: woken, disconnected, and streams of events; over both web servers."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.client import Api, check
from tests.concurrency.watching import until
from tests.making import make_place
from tests.web import Web, running_web


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def server(request, web) -> Iterator[Web]:
    """Each web server in turn."""
    if request.param == "uvicorn":
        yield web
        return
    with running_web("daphne") as process:
        yield process
        assert "Traceback" not in process.said(), process.said()[-3000:]


@pytest.fixture
def pair(server) -> tuple[Api, Api]:
    """Two runs in one project."""
    place = make_place()
    api = Api(server.url, place, token=place.token())
    return api.run("first"), api.run("second")


def test_a_release_brings_the_waiters_answer(pair):
    first, second = pair
    held = first.claim("x.py").json()
    threading.Timer(0.4, lambda: first.delete(f"P/claims/{held['id']}")).start()
    started = time.monotonic()
    granted = second.claim("x.py", wait_seconds=20)
    assert (granted.status_code, granted.json()["holder"]["agent"]) == (201, "second")
    assert time.monotonic() - started < 10
    assert granted.json()["fence"] > held["fence"]


def test_a_wait_that_was_in_vain_answers_its_entry_which_can_be_come_back_to(pair):
    first, second = pair
    held = first.claim("x.py").json()
    entry = second.claim("x.py", wait_seconds=1)
    assert (entry.status_code, entry.json()["state"]) == (202, "waiting")
    at_once = second.claim("y/../x", wait_seconds=0)
    assert at_once.status_code == 422
    threading.Timer(0.4, lambda: first.delete(f"P/claims/{held['id']}")).start()
    back = second.get(f"P/queue/{entry.json()['id']}", params={"wait_seconds": 20})
    assert back.status_code == 200
    assert second.get("P/claims").json()["items"][0]["holder"]["agent"] == "second"


def _send_and_hang_up(api: Api, path: str, body: bytes, after: float) -> None:
    where = urlsplit(api.url)
    head = [f"POST {api.address(path)} HTTP/1.1", f"Host: {where.netloc}", "Content-Type: application/json"]
    head += [f"Content-Length: {len(body)}", f"Authorization: {api.http.headers['Authorization']}"]
    head += [f"Interlock-Instance: {api.http.headers['Interlock-Instance']}", "", ""]
    with socket.create_connection((where.hostname, where.port)) as line:
        line.sendall("\r\n".join(head).encode() + body)
        time.sleep(after)


@pytest.mark.invariant("INV-11")
def test_a_waiter_that_goes_away_is_cancelled_not_granted(pair):
    first, second = pair
    held = first.claim("x.py").json()
    _send_and_hang_up(second, "P/claims", b'{"paths":["x.py"],"wait_seconds":60}', 0.5)
    until(lambda: first.get("P/queue", params={"state": "cancelled"}).json()["items"])
    first.delete(f"P/claims/{held['id']}")
    time.sleep(0.3)
    assert first.get("P/claims", params={"state": "held"}).json()["items"] == []


def test_one_connection_serves_many_waits_in_turn(pair):
    first, second = pair
    for n in range(3):
        held = first.claim(f"{n}.py").json()
        threading.Timer(0.1, lambda held=held: first.delete(f"P/claims/{held['id']}")).start()
        assert second.claim(f"{n}.py", wait_seconds=20).status_code == 201
        assert second.get("P/claims").status_code == 200


def test_many_waits_leave_room_for_others(pair):
    first, second = pair
    first.claim("x.py")
    place = second.place
    waiting = [Api(second.url, place, token=place.token()) for _ in range(2)]
    threads = []
    for api in waiting:
        for n in range(15):
            run = api.run(f"w{n}")
            threads.append(threading.Thread(target=lambda run=run: run.claim("x.py", wait_seconds=3)))
    for thread in threads:
        thread.start()
    until(lambda: len(first.get("P/queue").json()["items"]) == 30)
    assert first.claim("other.py").status_code == 201
    assert "interlock_waiting_requests 30.0" in httpx.get(f"{first.url}/metrics").text
    for thread in threads:
        thread.join()


def test_the_inbox_is_woken_by_a_message(pair):
    first, second = pair
    threading.Timer(0.3, lambda: first.post("P/messages", {"to": second.instance, "text": "hello"})).start()
    inbox = second.get("P/inbox", params={"wait_seconds": 20}).json()
    assert [item["message"]["text"] for item in inbox["items"]] == ["hello"]
    assert second.get("P/inbox", params={"after": inbox["cursor"], "wait_seconds": 0}).json()["items"] == []


def test_reading_events_waits_for_the_next_one(pair):
    first, second = pair
    cursor = first.get("P/events").json()["cursor"]
    threading.Timer(0.3, lambda: second.post("P/events", {"topic": "build.done", "data": {"ok": True}})).start()
    events = first.get("P/events", params={"after": cursor, "wait_seconds": 20, "type": "topic.*"}).json()
    assert [event["type"] for event in events["items"]] == ["topic.build.done"]


class Feed:
    """An open event stream, read on a thread."""

    def __init__(self, api: Api, query: str = "", headers: dict[str, str] | None = None, patience: float = 0.5) -> None:
        self.ended = False  # by the server
        self.patience = patience
        self.events: list[dict] = []
        self.ids: list[str] = []
        self.status = 0
        self.stop = threading.Event()
        self._opened = threading.Event()
        self._api, self._query, self._headers = api, query, headers or {}
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        self._opened.wait(10)

    def _read(self) -> None:
        address = self._api.address("P/events/stream") + self._query
        http = httpx.Client(base_url=self._api.url, headers=self._api.http.headers, timeout=self.patience)
        with http, http.stream("GET", address, headers=self._headers) as response:
            self.status = response.status_code
            self._opened.set()
            try:
                for line in response.iter_lines():
                    if line.startswith("id: "):
                        self.ids.append(line[4:])
                    if line.startswith("data: "):
                        self.events.append(json.loads(line[6:]))
                    if self.stop.is_set():
                        return
                self.ended = True
            except httpx.ReadTimeout:
                return

    def close(self) -> None:
        self.stop.set()
        self._thread.join()

    def wait_for(self, count: int) -> list[dict]:
        until(lambda: len(self.events) >= count)
        return self.events


def test_a_stream_tells_what_happens_from_now_on_and_resumes(pair):
    first, second = pair
    feed = Feed(first)
    assert feed.status == 200
    second.claim("x.py")
    assert [event["type"] for event in feed.wait_for(1)] == ["claim.granted"]
    feed.close()
    assert feed.ids == [event["cursor"] for event in feed.events]
    second.claim("y.py")
    second.claim("z.py")
    resumed = Feed(first, headers={"Last-Event-ID": feed.ids[-1]})
    assert len(resumed.wait_for(2)) == 2
    resumed.close()
    from_start = Feed(first, "?after=0&type=claim.*")
    assert {event["type"] for event in from_start.wait_for(3)} == {"claim.granted"}
    from_start.close()
    assert until(lambda: "interlock_open_streams 0.0" in httpx.get(f"{first.url}/metrics").text)


@pytest.mark.invariant("INV-13")
def test_a_stream_of_many_events_misses_none(pair):
    first, second = pair
    for n in range(60):
        second.post("P/events", {"topic": "n", "data": {"n": n}})
    feed = Feed(first, "?after=0&type=topic.n")
    assert [event["data"]["data"]["n"] for event in feed.wait_for(60)] == list(range(60))
    feed.close()


def test_streams_refuse_what_is_wrong_before_they_begin(pair, nobody):
    first, _ = pair
    assert first.get("P/events/stream", headers={"Last-Event-ID": "x"}).status_code == 422
    assert first.get("P/events/stream", params={"after": "x"}).status_code == 422
    assert nobody.get("P/events/stream").status_code == 401


def test_a_revoked_token_ends_its_stream(server):
    from tenants.permissions import Permission

    place = make_place()
    alice = Api(server.url, place, token=place.token(*Permission))
    made = alice.post("T/tokens", {"name": "t", "preset": "agent"}).json()
    feed = Feed(Api(server.url, place, token=made["secret"]), patience=10)
    assert feed.status == 200
    alice.delete(f"T/tokens/{made['id']}")
    alice.post("P/events", {"topic": "secret"})
    until(lambda: feed.ended)
    feed.close()
    assert feed.events == []


def test_a_team_has_so_many_streams_and_no_more(place):
    with running_web(STREAMS_PER_TEAM="2") as web:
        api = Api(web.url, place, token=place.token())
        feeds = [Feed(api), Feed(api)]
        until(lambda: "interlock_open_streams 2.0" in httpx.get(f"{web.url}/metrics").text)
        with api.http.stream("GET", api.address("P/events/stream")) as refused:
            assert refused.status_code == 429  # before reading on: a stream that is let in has no end
            refused.read()
        check(refused)
        assert refused.json()["limited"] == "streams"
        for feed in feeds:
            feed.close()
        until(lambda: "interlock_open_streams 0.0" in httpx.get(f"{web.url}/metrics").text)

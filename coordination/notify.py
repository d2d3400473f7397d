"""After commit: number the ledger, wake waiters here and in every other process (concurrency.md, "Waking").

A wake says only "look again". NOTIFY inside a write transaction would serialise every commit of the cluster, so one
thread per process coalesces what committed, publishes the touched streams, and notifies in a transaction of its own.
Whatever is lost when a process dies in between, the sweeps do again.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from uuid import UUID

import psycopg
from django.conf import settings

from tenants import auth, ledger
from tenants.db import teamless
from tenants.problems import Problem
from tenants.selectors import projects

log = logging.getLogger(__name__)

CHANNEL = "interlock"
# What comes within this many seconds shares one NOTIFY.
_COALESCE_S = 0.001
# A stream is published at once when it was quiet, and then in batches no closer than this.
_GAP_S = 0.02
_PAYLOAD = 7500  # bytes; Postgres takes 8,000

Stream = tuple[UUID, UUID | None]
Callback = Callable[[], object]


def stream_key(team_id: UUID, project_id: UUID | None) -> str:
    """What readers of a stream wait on."""
    return f"s:{project_id or team_id}"


class Hub:
    """The subscriptions of this process: key -> callbacks. Callbacks run on a hub thread and must be quick."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: dict[str, set[Callback]] = {}
        self._listener: threading.Thread | None = None
        self.listening = False

    def subscribe(self, keys: Iterable[str], callback: Callback) -> None:
        """Call ``callback`` at every wake of these keys, and after every reconnect. Starts the listener."""
        with self._lock:
            for key in keys:
                self._callbacks.setdefault(key, set()).add(callback)
            if self._listener is None:
                self._listener = threading.Thread(target=self._listen_for_ever, name="listener", daemon=True)
                self._listener.start()

    def unsubscribe(self, keys: Iterable[str], callback: Callback) -> None:
        """Stop calling ``callback`` for these keys."""
        with self._lock:
            for key in keys:
                callbacks = self._callbacks.get(key, set())
                callbacks.discard(callback)
                if not callbacks:
                    self._callbacks.pop(key, None)

    def wake(self, keys: Iterable[str] | None = None) -> None:
        """Call whoever waits for these keys; everybody when None."""
        with self._lock:
            if keys is None:
                found = {c for callbacks in self._callbacks.values() for c in callbacks}
            else:
                found = {c for key in keys for c in self._callbacks.get(key, ())}
        for callback in found:
            callback()

    def _listen_for_ever(self) -> None:
        while True:
            try:
                self._listen()
            except psycopg.Error:
                self.listening = False
                auth.forget_token()  # a revocation may have passed unheard
                threading.Event().wait(0.2)

    def _listen(self) -> None:
        with psycopg.connect(settings.LISTEN_DATABASE_URL, autocommit=True) as listener:
            listener.execute(f"LISTEN {CHANNEL}")
            self.listening = True
            self.wake()
            for notice in listener.notifies():
                keys = json.loads(notice.payload)
                for key in keys:
                    _forget(key)
                self.wake(keys)


def _forget(key: str) -> None:
    """Some wakes say that what this process remembers is old: a revoked token, a changed project."""
    kind, _, text = key.partition(":")
    if kind == "token":
        auth.forget_token(UUID(text))
    elif kind == "project":
        projects.forget(UUID(text))


class Outbox:
    """What has committed and was not yet told: one thread publishes and notifies, in batches."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Stream | None, frozenset[str]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._due: dict[Stream, set[str]] = {}
        self._published: dict[Stream, float] = {}

    def put(self, stream: Stream | None, keys: frozenset[str]) -> None:
        """Add to the next batch; starts the thread."""
        self._queue.put((stream, keys))
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            wakes = self._take(timeout=self._pause())
            wakes |= self._publish_due()
            if wakes:
                hub.wake(wakes)
                try:
                    send(wakes)
                except Problem:
                    log.info("other processes not woken: the database is away")
                except Exception:
                    log.exception("waking other processes failed")

    def _pause(self) -> float | None:
        """Seconds until a stream may be published; None when none is due."""
        if not self._due:
            return None
        now = time.monotonic()
        return max(0.0, min(self._published.get(stream, 0.0) for stream in self._due) + _GAP_S - now)

    def _take(self, timeout: float | None) -> set[str]:
        """Keys to wake now; streams, and the inboxes that wait for their publication, go to ``_due``."""
        wakes: set[str] = set()
        with suppress(queue.Empty):
            item = self._queue.get(timeout=timeout)
            threading.Event().wait(_COALESCE_S)
            while True:
                stream, keys = item
                if stream is None:
                    wakes |= keys
                else:
                    self._due.setdefault(stream, set()).update(keys)
                item = self._queue.get_nowait()
        return wakes

    def _publish_due(self) -> set[str]:
        """Publish the streams whose gap is over; the keys of their readers and inboxes."""
        told: set[str] = set()
        now = time.monotonic()
        ready = [stream for stream in self._due if self._published.get(stream, 0.0) + _GAP_S <= now]
        for stream in ready:
            self._published[stream] = time.monotonic()
            try:
                if ledger.publish(*stream) is None:
                    continue  # another publisher has the turn and may not have seen this: look again
            except Problem:
                continue
            except Exception:
                log.exception("publishing failed")
                continue
            told |= self._due.pop(stream) | {stream_key(*stream)}
        if len(self._published) > 10_000:
            self._published.clear()
        return told


hub = Hub()
_outbox = Outbox()


def nudge(team_id: UUID, project_id: UUID | None, recipients: frozenset[str] = frozenset()) -> None:
    """After a commit that appended to the ledger: publish that stream, then wake the inboxes that got something."""
    keys = frozenset(inbox_key(recipient, project_id) for recipient in recipients)
    _outbox.put((team_id, project_id), keys)


def wake(*keys: str) -> None:
    """After a commit: wake who waits for these keys, here at once, then in every other process."""
    hub.wake(keys)
    _outbox.put(None, frozenset(keys))


def inbox_key(recipient: str, project_id: UUID | None) -> str:
    """What readers of an inbox wait on: a ledger recipient, made unique where it is ``all``."""
    return f"all:{project_id}" if recipient == "all" else recipient


def send(keys: Iterable[str]) -> None:
    """NOTIFY the keys, split so that each payload fits."""
    with teamless(reason="a wake carries no data of any team") as cursor:
        batch: list[str] = []
        size = 2
        for key in keys:
            if size + len(key) + 4 > _PAYLOAD:
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, json.dumps(batch)])
                batch, size = [], 2
            batch.append(key)
            size += len(key) + 4
        if batch:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, json.dumps(batch)])

"""Presence: any call of an instance says that it is alive. Not a mutation: noted in memory, written once a second.

What an answer promises (``lapses_if_silent_after``) rests on what is stored, so the delay never takes ground early.
"""

import logging
import threading
from uuid import UUID

from coordination.store import guards, instances
from tenants import auth
from tenants.db import transaction
from tenants.problems import Problem

log = logging.getLogger(__name__)

FLUSH_S = 1.0
# When an edit was last judged is written at most so often: it is read in minutes.
JUDGED_S = 30

_seen: dict[UUID, set[UUID]] = {}
_judged: dict[UUID, set[UUID]] = {}
_lock = threading.Lock()
_thread: threading.Thread | None = None


def note(team_id: UUID, instance_id: UUID, root_id: UUID) -> None:
    """Remember that an instance, whose credential was checked, has just called; its root is alive with it."""
    global _thread  # noqa: PLW0603 - one flusher for the process
    with _lock:
        _seen.setdefault(team_id, set()).update((instance_id, root_id))
        if _thread is None:
            _thread = threading.Thread(target=_flush_for_ever, name="presence", daemon=True)
            _thread.start()


def judged(team_id: UUID, instance_id: UUID) -> None:
    """Remember that the guard has just judged an edit of a run."""
    with _lock:
        _judged.setdefault(team_id, set()).add(instance_id)


def flush() -> None:
    """Write down who was seen since the last time, a statement a team; and whose edits were judged."""
    with _lock:
        seen, edits = dict(_seen), dict(_judged)
        _seen.clear()
        _judged.clear()
    for team_id in seen.keys() | edits.keys():
        with transaction(team_id) as tx:
            if team_id in seen:
                instances.touch(tx, sorted(seen[team_id]))
            if team_id in edits:
                guards.judged(tx, sorted(edits[team_id]), every_s=JUDGED_S)
    auth.write_used()


def _flush_for_ever() -> None:
    while True:
        threading.Event().wait(FLUSH_S)
        try:
            flush()
        except Problem:
            log.info("presence not written: the database is away")
        except Exception:
            log.exception("presence flush failed")

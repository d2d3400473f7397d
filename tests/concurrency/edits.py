"""What the workers of a race over edits do: hook calls, as several tools make them at once."""

from typing import Any

from coordination.services import claims
from tests.concurrency.acts import ground_locks, meeting_after
from tests.services.guarding import Body, Session


def edit_at_once(session: Session, paths: tuple[str, ...], locks: bool, names: list[str]) -> tuple[str, Body]:
    """Ask the guard, claiming only when everybody has looked who is not kept from it."""
    with ground_locks(on=locks), meeting_after(claims, "look", names):
        answer = session.edit(*paths)
    return answer["decision"], answer


def edit_many(sessions: list[Session], paths: list[str]) -> list[tuple[int, str, str]]:
    """Each session asks for each path; (which session, path, decision)."""
    return [(number, path, session.edit(path)["decision"]) for path in paths for number, session in enumerate(sessions)]


def first_call(session: Session) -> tuple[str, int]:
    """The first hook call of a session: the run it became."""
    run: dict[str, Any] = session.call("prompt")["instance"]
    return run["id"], run["epoch"]

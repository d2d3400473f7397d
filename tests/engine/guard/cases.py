"""What the corpus holds, as values."""

import json
from pathlib import Path
from typing import Any

from coordination.engine.guard.types import Danger, Event, Reading, ToolUse, Touch

CORPUS = Path(__file__).parent / "corpus"

Case = dict[str, Any]


def cases(name: str) -> list[Case]:
    """The cases of one file of the corpus."""
    found: list[Case] = json.loads((CORPUS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def touches(case: Case) -> tuple[Touch, ...]:
    """The touches a case expects."""
    return tuple(Touch(path, action) for action, path in case.get("touches", ()))


def dangers(case: Case) -> tuple[Danger, ...]:
    """The dangers a case expects; the folder is left out where it is the call's."""
    return tuple(
        Danger(verb, tuple(paths), what, where[0] if where else "")
        for verb, paths, what, *where in case.get("dangers", ())
    )


def reading(case: Case) -> Reading:
    """What a command is expected to be read as."""
    return Reading(touches(case), dangers(case), case.get("opaque", False))


def tool_use(expect: Case) -> ToolUse:
    """What a payload is expected to be read as."""
    return ToolUse(
        event=Event(expect["event"]),
        session=expect["session"],
        cwd=expect["cwd"],
        tool=expect.get("tool", ""),
        touches=touches(expect),
        dangers=dangers(expect),
        source=expect.get("source", ""),
        model=expect.get("model", ""),
        opaque=expect.get("opaque", False),
    )

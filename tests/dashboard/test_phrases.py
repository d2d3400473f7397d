"""The ledger in people's words."""

import pytest

from coordination.management.events import EVENTS
from dashboard.phrases import phrase


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if not kind.startswith("topic.")])
def test_every_event_is_said_in_words(kind: str) -> None:
    for data in EVENTS[kind].examples:
        said = phrase({"type": kind, "data": data})
        assert "." not in said.verb and "_" not in said.verb


def test_a_refused_edit_names_file_and_holder() -> None:
    said = phrase({"type": "guard.refused", "data": {"paths": ["file:src/a.py"], "held_by": ["ada"], "why": "held"}})
    assert (said.verb, said.what, said.note) == ("was kept from", ("src/a.py",), "held by ada")

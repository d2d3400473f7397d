"""The services on Postgres against a slow model of what they must answer, step by step."""

from itertools import product
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coordination.engine.ground import read
from coordination.engine.modes import Mode, Urgency
from coordination.engine.overlap import meets
from coordination.services import claims, drains
from coordination.services.requests import ClaimRequest, ScopeRequest
from tenants.principal import Principal
from tests.concurrency import acts, stage
from tests.concurrency.model import COVERS, PATTERNS, Claim, Entry, Model, Part
from tests.making import make_place

NAMES = ("a", "b", "c")
NEVER = 1 << 60

names = st.sampled_from(NAMES)
modes = st.sampled_from(["exclusive"] * 3 + ["shared", "read", "advisory"])
parts = st.builds(Part, st.sampled_from(PATTERNS), st.lists(st.sampled_from(PATTERNS[:4]), max_size=1).map(tuple))
wholes = st.lists(parts, min_size=1, max_size=2).map(tuple)
numbers = st.integers(0, 50)


def scope(part: Part) -> ScopeRequest:
    return ScopeRequest(part.pattern, excepts=part.excepts, field="scopes.0")


class Services(RuleBasedStateMachine):
    """Every rule asks the services and the model, and compares."""

    def __init__(self) -> None:
        super().__init__()
        # What releases ask for in the background is asked for by a rule here, so that steps have an order.
        self._quiet = patch.object(drains, "drain_soon", lambda *_: None)
        self._quiet.start()

    def teardown(self) -> None:
        self._quiet.stop()

    @initialize()
    def begin(self) -> None:
        self.place = make_place()
        self.agents: dict[str, Principal] = {name: self.place.agent(name) for name in NAMES}
        self.name_of = {stage.holder(agent): name for name, agent in self.agents.items()}
        self.model = Model()

    # What callers do.

    @rule(name=names, mode=modes, wanted=wholes, wait=st.booleans(), urgency=st.sampled_from(["low", "normal", "high"]))
    def claim(self, name: str, mode: str, wanted: tuple[Part, ...], wait: bool, urgency: str) -> None:
        scopes = tuple(scope(part) for part in wanted)
        asked = ClaimRequest(scopes, mode=mode, wait_seconds=0 if wait else None, urgency=urgency)
        me = Entry("new", name, Mode(mode), wanted, int(Urgency.from_label(urgency)), NEVER)
        blocked = bool(self.model.in_the_way(name, me.mode, me.cover)) or self.model.blocked(me)
        free = claims.check(self.agents[name], "main", scopes=scopes, mode=mode).body["free"]
        kind, body = acts.outcome(lambda: claims.claim(self.agents[name], "main", asked))
        if not blocked:
            assert kind == "granted", body
            assert len(body["scopes"]) == len(wanted)
            self.model.grant(body["id"], Claim(name, me.mode, wanted, body["fence"]))
            self._circles_broken(name)
        elif not wait:
            assert kind == "refused", body
        elif self.model.circle(name, me):
            assert kind == "deadlock", body
        else:
            assert kind == "queued", body
            arrival = stage.entry(self.place, body["id"])["arrival"]
            self.model.entries[body["id"]] = Entry(body["id"], name, me.mode, wanted, me.urgency, arrival)
        if urgency == "normal":
            assert free is not blocked

    @rule(number=numbers)
    def release(self, number: int) -> None:
        if claim_id := self._one(number):
            claim = self.model.claims.pop(claim_id)
            assert acts.release(self.agents[claim.holder], claim_id)[0] == "ok"
            assert acts.release(self.agents[claim.holder], claim_id)[0] == "ok"
            assert acts.renew(self.agents[claim.holder], claim_id)[0] == "lost"

    @rule(number=numbers)
    def renew(self, number: int) -> None:
        if claim_id := self._one(number):
            claim = self.model.claims[claim_id]
            assert acts.renew(self.agents[claim.holder], claim_id)[0] == "ok"
            claim.lapsed = False  # which may close a circle: the next drain finds it

    @rule(number=numbers, part=parts)
    def narrow(self, number: int, part: Part) -> None:
        claim_id = self._one(number)
        if not claim_id:
            return
        claim = self.model.claims[claim_id]
        kind, body = acts.narrow(self.agents[claim.holder], claim_id, (scope(part),))
        outer = next((held for held in claim.parts if COVERS[part.pattern] <= COVERS[held.pattern]), None)
        if claim.lapsed:
            assert kind == "lost", body
        elif outer is None:
            assert (kind, body["code"]) == ("problem", "invalid"), body
        else:
            assert (kind, body["fence"]) == ("ok", claim.fence), body
            claim.parts = (Part(part.pattern, part.excepts + outer.excepts),)

    @rule(number=numbers, mode=modes)
    def change_mode(self, number: int, mode: str) -> None:
        claim_id = self._one(number)
        if not claim_id:
            return
        claim = self.model.claims[claim_id]
        kind, body = acts.change_mode(self.agents[claim.holder], claim_id, mode)
        if claim.lapsed:
            assert kind == "lost", body
        elif self.model.in_the_way(claim.holder, Mode(mode), claim.cover):
            assert kind == "refused", body
        else:
            assert (kind, body["fence"]) == ("ok", claim.fence), body
            for over in self.model.in_the_way(claim.holder, Mode(mode), claim.cover, lapsed=True):
                del self.model.claims[over]
            claim.mode = Mode(mode)
            self._circles_broken(claim.holder)

    @rule(number=numbers)
    def cancel(self, number: int) -> None:
        if self.model.entries:
            entry = sorted(self.model.entries.values(), key=lambda entry: entry.id)[number % len(self.model.entries)]
            assert acts.cancel(self.agents[entry.holder], entry.id)[1]["state"] == "cancelled"
            del self.model.entries[entry.id]

    # What time does.

    @rule(number=numbers)
    def expire(self, number: int) -> None:
        if claim_id := self._one(number):
            stage.lapse(self.place, claim_id)
            self.model.claims[claim_id].lapsed = True

    @rule(number=numbers)
    def age(self, number: int) -> None:
        if self.model.entries:
            entry_id = sorted(self.model.entries)[number % len(self.model.entries)]
            stage.age(self.place, entry_id)
            entry = self.model.entries[entry_id]
            self.model.entries[entry_id] = Entry(**(vars(entry) | {"boosts": entry.boosts + 1}))

    # What the platform does.

    @rule()
    def drain(self) -> None:
        for _ in range(5):
            before = len(self.model.entries)
            acts.drain(self.place)
            self._adopt()
            if len(self.model.entries) == before:
                break
        for entry in self.model.entries.values():
            stuck = self.model.in_the_way(entry.holder, entry.mode, entry.cover) or self.model.blocked(entry)
            assert stuck, f"{entry} could be granted"
        assert not any(self.model.circle(name) for name in NAMES)

    @rule()
    def sweep(self) -> None:
        acts.expire(self.place)
        for claim_id in [claim_id for claim_id, claim in self.model.claims.items() if claim.lapsed]:
            del self.model.claims[claim_id]
        self._adopt()

    # What must hold.

    @invariant()
    def what_is_live_is_what_the_model_holds_and_is_apart(self) -> None:
        held = stage.assert_apart(self.place)
        assert {one.id: self._seen(one) for one in held} == self.model.live()

    @invariant()
    def what_waits_is_what_the_model_has_waiting(self) -> None:
        rows = stage.query(
            self.place,
            "SELECT id FROM coordination_queueentry WHERE team_id = %s AND state = 'waiting'",
            self.place.team_id,
        )
        assert {stage.show("que", row["id"]) for row in rows} == set(self.model.entries)

    def _seen(self, held: stage.Held) -> tuple[str, Mode, frozenset[str]]:
        paths = {path for ground in held.grounds for path in stage.covered(ground, COVERS["**"])}
        return self.name_of[held.holder], held.mode, frozenset(paths)

    def _one(self, number: int) -> str | None:
        return sorted(self.model.claims)[number % len(self.model.claims)] if self.model.claims else None

    def _circles_broken(self, holder: str) -> None:
        """After a grant: entries were given up only if it was on a circle, and as many as it takes."""
        closed = self.model.circle(holder)
        gone = self._gone("deadlocked")
        assert closed or not gone
        assert not self.model.circle(holder) or not gone

    def _gone(self, state: str) -> list[Entry]:
        rows = stage.query(
            self.place,
            "SELECT id FROM coordination_queueentry WHERE team_id = %s AND state = %s",
            self.place.team_id,
            state,
        )
        ids = [stage.show("que", row["id"]) for row in rows]
        return [self.model.entries.pop(entry_id) for entry_id in ids if entry_id in self.model.entries]

    def _adopt(self) -> None:
        """What a drain did, in the order of its fences: each grant had to be possible when it was made."""
        rows = stage.query(
            self.place,
            "SELECT q.id, q.claim_id, c.fence FROM coordination_queueentry q"
            " JOIN coordination_claim c ON c.team_id = q.team_id AND c.id = q.claim_id"
            " WHERE q.team_id = %s AND q.state = 'granted' ORDER BY c.fence",
            self.place.team_id,
        )
        for row in rows:
            entry = self.model.entries.get(stage.show("que", row["id"]))
            if entry is None:
                continue
            assert not self.model.in_the_way(entry.holder, entry.mode, entry.cover), entry
            del self.model.entries[entry.id]
            claim = Claim(entry.holder, entry.mode, entry.parts, row["fence"])
            self.model.grant(stage.show("clm", row["claim_id"]), claim)
        self._gone("deadlocked")


Services.TestCase.settings = settings(
    max_examples=100,
    phases=[Phase.generate],  # a step talks to Postgres: making a failure smaller takes minutes
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.race
@pytest.mark.xdist_group("race")
@pytest.mark.invariant("INV-01")
@pytest.mark.invariant("INV-02")
@pytest.mark.invariant("INV-05")
@pytest.mark.invariant("INV-08")
@pytest.mark.invariant("INV-28")
class TestServices(Services.TestCase):
    """Collected by pytest."""


def test_the_models_world_tells_patterns_apart_as_the_engine_does() -> None:
    """Else the model would be wrong where the engine is right."""
    parsed: dict[str, Any] = {text: read(text, fold=False)[0] for text in PATTERNS}
    ways: list[tuple[str, ...]] = [(), *((text,) for text in PATTERNS)]
    for (one, mine), (other, theirs) in product(product(PATTERNS, ways), repeat=2):
        cover = Part(one, mine).cover & Part(other, theirs).cover
        exact = meets(parsed[one], [parsed[text] for text in mine], parsed[other], [parsed[text] for text in theirs])
        assert bool(cover) is exact, (one, mine, other, theirs)

"""The life of a claim: renewal, take-over, narrowing, modes, named ground, freezing, verification."""

import pytest

from coordination.selectors import claims as claim_selectors
from coordination.services import allocations, drains, freeze, leases, queue, verify
from coordination.services.requests import Change, ScopeRequest
from tenants.db import transaction
from tenants.problems import Problem
from tests.making import claim, make_place


def _lapse(place, claim_id=None):
    with transaction(place.team_id) as tx:
        tx.run(
            "UPDATE coordination_claim SET expires_at = clock_timestamp() - interval '1 s'"
            " WHERE team_id = %s AND state = 'held'",
            [place.team_id],
        )


@pytest.mark.invariant("INV-07")
@pytest.mark.invariant("INV-04")
def test_lapsed_ground_is_taken_over_without_a_sweep_and_the_old_holder_is_told():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    old = claim(a, "x.py")
    _lapse(place)
    new = claim(b, "x.py")
    assert new.kind == "granted"
    assert [over["claim"] for over in new.body["took_over"]] == [old.body["id"]]
    lost = leases.renew(a, "main", old.body["id"])
    assert lost.kind == "lost"
    assert lost.body["held_by"]["agent"] == "b"
    assert lost.body["fence_now"] == new.body["fence"] > lost.body["fence"]


@pytest.mark.invariant("INV-06")
def test_lapsed_ground_that_nobody_took_comes_back_by_renewal():
    place = make_place()
    a = place.agent("a")
    held = claim(a, "x.py")
    _lapse(place)
    assert claim_selectors.claim_get(a, "main", held.body["id"])["state"] == "lapsed"
    assert leases.renew(a, "main", held.body["id"]).body["state"] == "held"


def test_a_project_may_want_a_reason_for_taking_over():
    place = make_place()
    place.set_policy(takeover_needs_reason=True)
    a, b = place.agent("a"), place.agent("b")
    claim(a, "x.py")
    _lapse(place)
    with pytest.raises(Problem) as caught:
        claim(b, "x.py")
    assert caught.value.errors[0].field == "takeover_reason"
    assert claim(b, "x.py", takeover_reason="a is gone").kind == "granted"


def test_narrowing_frees_the_rest_and_keeps_the_fence():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "src/**")
    narrowed = leases.change(a, "main", held.body["id"], scopes=(ScopeRequest("src/api/**"),))
    assert narrowed.body["fence"] == held.body["fence"]
    assert [s["pattern"] for s in narrowed.body["scopes"]] == ["src/api/**"]
    assert claim(b, "src/web/x.py").kind == "granted"
    assert claim(b, "src/api/x.py").kind == "refused"
    with pytest.raises(Problem):
        leases.change(a, "main", held.body["id"], scopes=(ScopeRequest("src/**"),))


def test_what_was_taken_out_does_not_grow_back_by_narrowing():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim_except(a, "src/**", "src/api/**")
    leases.change(a, "main", held.body["id"], scopes=(ScopeRequest("src/**"),))
    assert claim(b, "src/api/x.py").kind == "granted"


def claim_except(principal, pattern, *excepts):
    from coordination.services import claims
    from coordination.services.requests import ClaimRequest

    return claims.claim(principal, "main", ClaimRequest((ScopeRequest(pattern, excepts=excepts),)))


def test_a_wide_claim_can_ask_for_all_but():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    claim(a, "src/api/x.py")
    refused = claim(b, "src/**")
    [scope] = refused.body["narrow_to"]
    assert scope["except"] == [{"pattern": "src/api/x.py", "symbols": []}]
    assert claim_except(b, scope["pattern"], *[e["pattern"] for e in scope["except"]]).kind == "granted"


def test_a_stronger_mode_is_decided_like_a_new_claim():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py", mode="shared")
    other = claim(b, "x.py", mode="shared")
    assert other.body["coexists_with"] == [held.body["id"]]
    assert claim_selectors.claim_get(a, "main", held.body["id"])["coexists_with"] == [other.body["id"]]
    assert leases.change(a, "main", held.body["id"], mode="exclusive").kind == "refused"
    leases.release(b, "main", other.body["id"])
    assert leases.change(a, "main", held.body["id"], mode="exclusive").body["mode"] == "exclusive"


def test_named_ground_has_its_kinds_reach():
    place = make_place()
    a = place.agent("a", host="h1", worktree="/w1")
    b = place.agent("b", host="h2", worktree="/w2")
    c = place.agent("c", host="h1", worktree="/w3")
    assert claim(a, "port:3000", "git:index", "env:staging").kind == "granted"
    assert claim(b, "port:3000", "git:index").kind == "granted"
    assert claim(c, "port:3000").kind == "refused"
    assert claim(b, "env:staging").kind == "refused"
    assert claim(b, "path:env:staging").kind == "granted"
    with pytest.raises(Problem) as caught:
        claim(a, "banana:x")
    assert caught.value.errors[0].code == "unknown_kind"


@pytest.mark.invariant("INV-02")
def test_a_request_over_several_repositories_is_all_or_nothing():
    from tenants.models import Repository

    place = make_place()
    with transaction(place.team_id):
        Repository.objects.create(team_id=place.team_id, project_id=place.project_id, slug="web")
    a, b = place.agent("a"), place.agent("b")
    claim(a, "x.py")

    def both(principal):
        from coordination.services import claims
        from coordination.services.requests import ClaimRequest

        scopes = (ScopeRequest("x.py", repository="web"), ScopeRequest("x.py", repository="main"))
        return claims.claim(principal, "main", ClaimRequest(scopes))

    refused = both(b)
    assert refused.kind == "refused"
    assert [s["repository"] for s in refused.body["narrow_to"]] == ["web"]
    assert claim_selectors.claim_list(b, "main", state="held", agent="b")["items"] == []


@pytest.mark.invariant("INV-21")
def test_a_frozen_project_grants_nothing_but_lets_go():
    place = make_place()
    a = place.agent("a")
    held = claim(a, "x.py")
    freeze.freeze(place.owner, "main", "release day")
    with pytest.raises(Problem) as caught:
        claim(a, "y.py")
    assert caught.value.code == "frozen" and "release day" in caught.value.detail
    assert leases.release(a, "main", held.body["id"]).kind == "ok"
    freeze.thaw(place.owner, "main")
    assert claim(a, "y.py").kind == "granted"


@pytest.mark.invariant("INV-22")
def test_an_allocated_number_is_nobody_elses_until_it_is_released():
    place = make_place()
    a, b = place.agent("a", host="h"), place.agent("b", host="h")
    first = allocations.allocate(a, "main", pool="port", first=3000, last=3001)
    second = allocations.allocate(b, "main", pool="port", first=3000, last=3001)
    assert (first.body["number"], second.body["number"]) == (3000, 3001)
    with pytest.raises(Problem) as caught:
        allocations.allocate(b, "main", pool="port", first=3000, last=3001)
    assert caught.value.code == "pool_exhausted"
    with pytest.raises(Problem):
        allocations.release(b, "main", first.body["id"])
    allocations.release(a, "main", first.body["id"])
    assert allocations.allocate(b, "main", pool="port", first=3000, last=3001).body["number"] == 3000


def test_verification_tells_covered_foreign_lapsed_and_unclaimed_apart():
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    claim(a, "mine.py")
    claim(b, "theirs/**")
    paths = ("mine.py", "theirs/[x].py", "nobody.py")
    answer = verify.verify(a, "main", changes=tuple(Change(path) for path in paths))
    assert [f["status"] for f in answer.body["findings"]] == ["covered", "held_by_other", "unclaimed"]
    assert answer.body["verdict"] == "fail"
    _lapse(place)
    answer = verify.verify(a, "main", changes=(Change("mine.py"),))
    assert (answer.body["verdict"], answer.body["findings"][0]["status"]) == ("warn", "lapsed")


def test_who_holds_this_path():
    place = make_place()
    a = place.agent("a")
    held = claim(a, "src/**")
    claim(a, "other.py")
    found = claim_selectors.claim_list(a, "main", state="held", path="src/deep/file.py")
    assert [item["id"] for item in found["items"]] == [held.body["id"]]


def test_a_case_insensitive_repository_compares_without_case():
    place = make_place(case_insensitive=True)
    a, b = place.agent("a"), place.agent("b")
    claim(a, "SRC/Auth/*.py")
    assert claim(b, "src/auth/Login.PY").kind == "refused"
    assert claim(b, "src/other.py").kind == "granted"


def test_ground_placed_by_an_old_case_setting_is_placed_anew():
    from tenants.selectors import projects

    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    projects.repositories_of(a, place.project_id)  # this process now believes: case matters
    with transaction(place.team_id) as tx:
        tx.run("UPDATE tenants_repository SET case_insensitive = true WHERE team_id = %s", [place.team_id])
    assert claim(a, "SRC/x.py").kind == "granted"
    assert claim(b, "src/X.py").kind == "refused"


def test_a_manager_revokes_anybodys_claim_and_its_holder_is_told():
    from coordination.services import messages

    place = make_place()
    a = place.agent("a")
    held = claim(a, "x.py")
    assert leases.release(place.owner, "main", held.body["id"]).kind == "ok"
    assert claim_selectors.claim_get(a, "main", held.body["id"])["state"] == "revoked"
    assert leases.renew(a, "main", held.body["id"]).kind == "lost"
    place.publish()
    types = [item["type"] for item in messages.inbox(a, "main").body["items"]]
    assert "claim.revoked" in types


def test_releasing_again_is_harmless_and_a_wrong_fence_changes_nothing():
    place = make_place()
    a = place.agent("a")
    held = claim(a, "x.py")
    with pytest.raises(Problem) as caught:
        leases.release(a, "main", held.body["id"], fence=held.body["fence"] - 1)
    assert caught.value.code == "lost"
    assert claim_selectors.claim_get(a, "main", held.body["id"])["state"] == "held"
    for _ in range(2):
        assert leases.release(a, "main", held.body["id"], fence=held.body["fence"]).kind == "ok"


def test_limits_are_told_with_figure_and_limit():
    place = make_place()
    place.set_policy(max_claims_per_agent=1, max_ttl_s=60)
    a = place.agent("a")
    assert claim(a, "x.py").body["scopes"]
    with pytest.raises(Problem) as caught:
        claim(a, "y.py")
    assert (caught.value.extra["figure"], caught.value.extra["limit"]) == (1, 1)
    with pytest.raises(Problem) as caught:
        claim(a, "y.py", ttl_seconds=61)
    assert caught.value.errors[0].field == "ttl_seconds"


def test_a_process_that_ends_leaves_the_lines_its_requests_stand_in():
    place = make_place()
    a, b, c = place.agent("a"), place.agent("b"), place.agent("c")
    held = claim(a, "x.py")
    # These have lined up; their door stops before it begins to wait.
    waiting = claim(b, "x.py", wait_seconds=60)
    kept = claim(c, "x.py", wait_seconds=60, idempotent=True)
    drains.waiters.leave()
    assert queue.attach(b, "main", waiting.body["id"], None).body["state"] == "cancelled"
    assert leases.release(a, "main", held.body["id"]).kind == "ok"
    drains.drain(place.team_id, place.project_id)
    # Who sent a key may come back for its place: it is offered the ground, and holds it once it has come.
    assert queue.attach(c, "main", kept.body["id"], None).body["state"] == "granted"

"""Whose call it is: sessions that begin, go on, are cleared, resumed, end; and what is seen of their guard."""

import pytest

from coordination.engine.guard.types import Event
from coordination.selectors import instances as selectors
from coordination.services import instances, presence
from coordination.services import sync as syncing
from coordination.services.guard import judging
from coordination.services.guard.calls import HookCall
from tenants.db import transaction
from tenants.permissions import PRESETS, Permission
from tenants.principal import Actor, Principal
from tenants.problems import Problem
from tests.making import Place, claim, make_place
from tests.services.guarding import events, session, statuses


@pytest.fixture
def place() -> Place:
    return make_place()


def roster(place: Place) -> dict[str, dict[str, object]]:
    """The roster's entries by the id of the run."""
    return {row["id"]: row for row in selectors.roster(place.owner, "main")["items"]}


# --- finding the run -------------------------------------------------------------------------------------------------


def test_an_unknown_session_is_registered_on_the_spot_and_known_from_then_on(place: Place) -> None:
    ada = session(place, "ada", worktree="/w", host="box")
    first = ada.edit("a.py")["instance"]
    assert (first["agent"], first["tool"], first["worktree"], first["epoch"]) == ("ada", "claude-code", "/w", 1)
    for event in ("prompt", "post_tool", "stop"):
        again = ada.call(event)["instance"]
        assert (again["id"], again["epoch"]) == (first["id"], 1)
    assert len(events(place, "instance.registered")) == len(events(place, "guard.started")) == 1


@pytest.mark.invariant("INV-23")
@pytest.mark.parametrize("other", [{"session": "s2"}, {"worktree": "/other"}, {"agent": "ben"}])
def test_another_session_checkout_or_agent_is_another_run(place: Place, other: dict[str, str]) -> None:
    ada = session(place, "ada", worktree="/w")
    ada.edit("a.py")
    assert ada.call("pre_tool", **other)["instance"]["id"] != ada.call("prompt")["instance"]["id"]


@pytest.mark.invariant("INV-23")
def test_another_credential_is_another_run_and_never_acts_by_the_handle(place: Place) -> None:
    ada = session(place, "ada", worktree="/w")
    handle = ada.edit("a.py")["instance"]["handle"]
    other = session(place, "ada", worktree="/w")
    assert other.edit("a.py")["decision"] == "deny"
    with pytest.raises(Problem) as caught:
        other.holding(handle).edit("a.py")
    assert caught.value.code == "forbidden"


def test_a_session_that_began_elsewhere_in_the_same_project_is_found_whatever_folder_it_is_in(place: Place) -> None:
    ada = session(place, "ada", worktree="/w")
    first = ada.start()["instance"]["id"]
    assert ada.call("pre_tool", worktree=None)["instance"]["id"] == first


def test_without_session_and_handle_the_only_run_is_meant_and_none_or_several_are_a_mistake(place: Place) -> None:
    ada = session(place, "ada")
    with pytest.raises(Problem) as caught:
        ada.call("pre_tool", session="")
    assert caught.value.code == "instance_required"
    known = ada.edit("a.py")["instance"]["id"]
    assert ada.call("prompt", session="")["instance"]["id"] == known
    ada.call("prompt", session="s2")
    with pytest.raises(Problem) as caught:
        ada.call("prompt", session="")
    assert caught.value.code == "instance_required"


@pytest.mark.parametrize(
    ("bound", "said", "tool", "name"),
    [
        ("lint", "", "claude-code", "lint"),
        (None, "", "Claude Code!", "Claude-Code"),
        (None, "", "", "agent"),
        (None, "x", "y", "x"),
    ],
)
def test_the_agents_name_is_the_tokens_else_the_tools(
    place: Place, bound: str | None, said: str, tool: str, name: str
) -> None:
    actor = Actor("token", "tok_x", "t")
    principal = Principal(place.team_id, place.slug, actor, PRESETS["agent"], agent=bound)
    call = HookCall(Event.PROMPT, session="s", agent=said, tool=tool)
    assert judging.judge(principal, "main", call).body["instance"]["agent"] == name


def test_a_token_bound_to_an_agent_is_no_other(place: Place) -> None:
    principal = Principal(place.team_id, place.slug, Actor("token", "tok_x", "t"), PRESETS["agent"], agent="lint")
    with pytest.raises(Problem) as caught:
        judging.judge(principal, "main", HookCall(Event.PROMPT, session="s", agent="other"))
    assert caught.value.code == "forbidden"


def test_who_may_not_coordinate_may_not_ask(place: Place) -> None:
    actor = Actor("token", "tok_x", "t")
    principal = Principal(place.team_id, place.slug, actor, frozenset(Permission) - {Permission.COORDINATE})
    with pytest.raises(Problem) as caught:
        judging.judge(principal, "main", HookCall(Event.PROMPT, session="s"))
    assert caught.value.code == "forbidden"


# --- sessions --------------------------------------------------------------------------------------------------------


def test_a_session_begins_with_its_handle_the_rules_and_a_probe(place: Place) -> None:
    other = session(place, "ben", worktree="/w", host="box")
    other.start()
    claim(place.agent("zoe"), "z.py")
    answer = session(place, "ada", worktree="/w", host="box").start(model="opus", branch="main")
    assert answer["decision"] == "allow" and answer["instance"]["model"] == "opus"
    assert answer["instance"]["handle"] in answer["context"]
    assert "claims it for you" in answer["context"] and "ben" in answer["context"]
    assert answer["guard"]["probe"].startswith(".interlock/probe/") and answer["guard"]["probe"] in answer["context"]
    assert (answer["policy"], answer["offline"]) == ("auto-claim", "open")
    assert events(place, "guard.started")[-1] == {
        "agent": "ada",
        "door": "command",
        "source": "startup",
        "policy": "auto-claim",
    }


@pytest.mark.invariant("INV-23")
def test_a_resumed_session_keeps_its_claims_and_its_older_copy_is_refused(place: Place) -> None:
    ada = session(place, "ada", worktree="/w")
    old = ada.start()["instance"]
    ada.holding(old["handle"]).edit("a.py")
    new = ada.start("resume")["instance"]
    assert (new["id"], new["epoch"], new["resumed"]) == (old["id"], 2, False)
    assert statuses(ada.holding(new["handle"]).edit("a.py")) == {"a.py": "covered"}
    refused = ada.holding(old["handle"]).edit("a.py")
    assert refused["decision"] == "deny" and "newer copy of this run took over" in refused["reason"]
    assert refused["instance"]["id"] == old["id"]
    assert events(place, "guard.refused")[-1]["why"] == "superseded"
    # What it only looks at is not held up; it is told, though.
    told = ada.holding(old["handle"]).call("pre_tool")
    assert told["decision"] == "allow" and "newer copy" in told["context"]
    assert "newer copy" in ada.holding(old["handle"]).call("prompt")["context"]


def test_a_run_that_has_ended_is_told_how_to_begin_anew(place: Place) -> None:
    ada = session(place, "ada")
    handle = ada.start()["instance"]["handle"]
    instances.end(ada.principal, "main", handle)
    answer = ada.holding(handle).edit("a.py")
    assert answer["decision"] == "deny" and "begin anew" in answer["reason"]
    assert answer["instance"]["status"] == "ended"
    # By its session alone it is a new run.
    assert ada.edit("a.py")["instance"]["id"] != answer["instance"]["id"]


def test_under_observe_an_older_copy_is_told_and_not_refused(place: Place) -> None:
    ada = session(place, "ada")
    old = ada.start()["instance"]["handle"]
    ada.start("resume")
    place.set_policy(guard_policy="observe")
    answer = ada.holding(old).edit("a.py")
    assert answer["decision"] == "allow" and "newer copy" in answer["context"]


def test_the_end_of_a_session_gives_back_what_it_holds(place: Place) -> None:
    ada, ben = session(place, "ada"), session(place, "ben")
    ada.start()
    ada.edit("a.py")
    answer = ada.call("session_end", source="logout")
    assert (answer["decision"], answer["instance"]["status"]) == ("allow", "ended")
    assert ben.edit("a.py")["decision"] == "allow"
    again = ada.call("session_end", source="logout")
    assert again["instance"] is None and again["guard"]["state"] == "blind"


@pytest.mark.invariant("INV-23")
def test_after_a_clear_the_next_session_of_the_process_holds_what_the_one_before_held(place: Place) -> None:
    ada, ben = session(place, "ada", worktree="/w"), session(place, "ben")
    before = ada.start()["instance"]
    ada.edit("a.py")
    kept = ada.call("session_end", source="clear")
    assert (kept["instance"]["status"], ben.edit("a.py")["decision"]) == ("idle", "deny")
    next_one = session(place, "ada", "s2", like=ada, worktree="/w")
    after = next_one.start("clear", parent=before["id"])["instance"]
    assert (after["parent"], after["holder"]) == (before["id"], before["id"])
    assert statuses(next_one.edit("a.py")) == {"a.py": "covered"}
    # Whoever resumes the old session elsewhere is another run.
    elsewhere = ada.start("resume")["instance"]
    assert elsewhere["holder"] == elsewhere["id"] != before["id"]
    # The end of the last session ends all of it.
    third = session(place, "ada", "s3", like=ada, worktree="/w")
    next_one.call("session_end", source="clear")
    assert third.start("clear", parent=after["id"])["instance"]["holder"] == before["id"]
    third.call("session_end", source="prompt_input_exit")
    assert ben.edit("a.py")["decision"] == "allow"


def test_a_child_that_ends_leaves_its_parent_and_what_it_holds(place: Place) -> None:
    ada, ben = session(place, "ada", worktree="/w"), session(place, "ben")
    root = ada.start()["instance"]["id"]
    child = session(place, "ada", "child", like=ada, worktree="/w")
    assert child.start("startup", parent=root)["instance"]["holder"] == root
    child.edit("a.py")
    child.call("session_end", source="other")
    assert ben.edit("a.py")["decision"] == "deny"
    assert statuses(ada.edit("a.py")) == {"a.py": "covered"}


def test_a_parent_that_has_gone_is_passed_over_and_another_credentials_is_a_mistake(place: Place) -> None:
    ada = session(place, "ada")
    gone = ada.start()["instance"]
    instances.end(ada.principal, "main", gone["id"])
    for parent in (gone["id"], "ins_01m7wkvf9jf35t96p4g8vsme1t", "nonsense"):
        assert ada.start("clear", parent=parent)["instance"]["parent"] is None
    foreign = session(place, "ben").start()["instance"]["id"]
    with pytest.raises(Problem) as caught:
        ada.start("clear", parent=foreign)
    assert caught.value.code == "invalid"
    assert roster(place)[foreign]["status"] == "active"


@pytest.mark.parametrize("sessions", [1, 2])
def test_over_http_a_clear_is_followed_where_it_can_be_told_which(place: Place, sessions: int) -> None:
    first = session(place, "ada", "old0", worktree="/w", door="http")
    before = [
        first,
        *(session(place, "ada", f"old{n}", like=first, worktree="/w", door="http") for n in range(1, sessions)),
    ]
    held = [one.start()["instance"]["id"] for one in before]
    for number, one in enumerate(before):
        one.edit(f"{number}.py")
        one.call("session_end", source="clear")
    after = session(place, "ada", "new", like=first, worktree="/w", door="http").start("clear")["instance"]
    assert after["parent"] == (held[0] if sessions == 1 else None)


def test_over_http_a_client_that_never_says_a_session_began_lets_go_at_a_clear(place: Place) -> None:
    ada, ben = session(place, "ada", door="http"), session(place, "ben")
    assert "You are agent ada" in ada.call("prompt")["context"]
    ada.edit("a.py")
    ada.call("stop")
    assert ada.call("session_end", source="clear")["instance"]["status"] == "ended"
    assert ben.edit("a.py")["decision"] == "allow"


# --- what is known of the guard --------------------------------------------------------------------------------------


def test_the_state_of_a_guard_rises_with_proof_and_falls_with_what_slipped_through(place: Place) -> None:
    ada = session(place, "ada")
    blind = place.agent("blind").instance or ""
    started = ada.start()
    assert started["guard"]["state"] == "advisory"
    run = started["instance"]["id"]
    assert (ada.edit("a.py")["guard"]["state"], ada.edit("a.py")["guard"]["door"]) == ("enforced", "command")
    presence.flush()
    assert {i: row["guard"]["state"] for i, row in roster(place).items()} == {
        run: "enforced",
        blind.partition(".")[0]: "blind",
    }
    assert ada.call("post_tool", dirty=("made/by/script.py",))["guard"]["state"] == "advisory"
    assert roster(place)[run]["guard"]["state"] == "advisory"
    ada.edit("a.py")
    presence.flush()
    assert roster(place)[run]["guard"]["state"] == "enforced"
    place.set_policy(guard_policy="observe")
    assert roster(place)[run]["guard"]["state"] == "advisory"
    me = ada.principal.acting(instance=run)
    assert syncing.sync(me, "main").body["instance"]["guard"]["state"] == "advisory"
    assert selectors.instance_get(place.owner, "main", run)["guard"]["door"] == "command"


def test_a_session_that_begins_again_has_to_prove_itself_again(place: Place) -> None:
    ada = session(place, "ada")
    ada.start()
    ada.edit("a.py")
    presence.flush()
    assert ada.start("resume")["guard"]["state"] == "advisory"
    assert ada.edit("a.py")["guard"]["state"] == "enforced"
    presence.flush()
    [row] = roster(place).values()
    assert row["guard"]["state"] == "enforced"


def test_the_probe_is_always_refused_and_proves_that_the_hook_fires(place: Place) -> None:
    place.set_policy(guard_policy="strict")
    ada = session(place, "ada")
    probe = ada.start()["guard"]["probe"]
    other = ada.edit(".interlock/probe/other")
    assert other["decision"] == "deny" and events(place, "guard.probed") == []
    answer = ada.edit(probe, "a.py")
    assert (answer["decision"], statuses(answer)[probe]) == ("deny", "probe")
    assert answer["guard"]["state"] == "enforced" and "The guard works" in answer["reason"]
    ada.edit(probe)
    assert events(place, "guard.probed") == [{"agent": "ada", "door": "command"}]
    place.set_policy(guard_policy="observe")
    assert ada.edit(probe)["decision"] == "deny"


def test_a_judgement_is_written_at_most_every_half_minute(place: Place) -> None:
    ada = session(place, "ada")
    ada.edit("a.py")
    presence.flush()
    [first] = [row["guard"]["judged_at"] for row in roster(place).values()]
    ada.edit("a.py")
    presence.flush()
    assert [row["guard"]["judged_at"] for row in roster(place).values()] == [first]
    with transaction(place.team_id) as tx:
        tx.run(
            "UPDATE coordination_instance SET guard_judged_at = guard_judged_at - interval '31 s' WHERE team_id = %s",
            [place.team_id],
        )
    ada.edit("a.py")
    presence.flush()
    assert [row["guard"]["judged_at"] for row in roster(place).values()] > [first]

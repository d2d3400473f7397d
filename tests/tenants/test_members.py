"""Members: who may make whom what, and that a team never loses its last owner."""

import threading

import pytest

from tenants.auth import principal_for_person
from tenants.db import transaction
from tenants.models import Event, Membership
from tenants.permissions import ROLES
from tenants.problems import Code, Problem
from tenants.selectors.people import member_get, member_list
from tenants.services import members
from tenants.services.members import member_add, member_change, member_remove
from tests.tenants.people import join, make_person, make_team

ROLE_NAMES = list(ROLES)


def refusal(call, *arguments, **named) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*arguments, **named)
    return caught.value


def member_of(principal, person) -> dict:
    [found] = [m for m in member_list(principal, limit=200)["items"] if m["person"]["email"] == person.email]
    return found


def owners(place) -> int:
    with transaction(place.team_id):
        return Membership.objects.filter(role="owner").count()


def test_a_person_is_added_changed_and_removed_and_all_of_it_is_in_the_ledger():
    place, owner = make_team()
    person = make_person("Ada")
    added = member_add(owner, email=person.email.upper(), role="member")
    assert (added["role"], added["person"]["name"]) == ("member", "Ada")
    assert member_get(owner, added["id"]) == added
    assert member_change(owner, added["id"], role="admin")["role"] == "admin"
    member_remove(owner, added["id"])
    assert refusal(member_get, owner, added["id"]).code == Code.NOT_FOUND
    with transaction(place.team_id):
        told = Event.objects.filter(subject_id=added["id"]).order_by("id").values_list("type", flat=True)
        assert list(told) == ["member.added", "member.changed", "member.removed"]


def test_a_change_of_role_holds_from_the_next_request_on():
    place, owner = make_team()
    _, person = join(place, "admin")
    member = member_of(owner, person)
    member_change(owner, member["id"], role="viewer")
    assert principal_for_person(person, place.slug).permissions == ROLES["viewer"]
    member_remove(owner, member["id"])
    assert refusal(principal_for_person, person, place.slug).code == Code.NOT_FOUND


def test_somebody_unknown_or_already_there_is_refused():
    place, owner = make_team()
    _, person = join(place, "member")
    assert refusal(member_add, owner, email=person.email).code == Code.ALREADY_EXISTS
    for email in ("nobody@example.com", "no address", "", "a\x00@example.com"):
        assert refusal(member_add, owner, email=email).errors[0].field == "email"
    assert refusal(member_add, owner, email=person.email, role="emperor").errors[0].field == "role"


@pytest.mark.parametrize("mine", ROLE_NAMES)
@pytest.mark.parametrize("role", ROLE_NAMES)
def test_nobody_hands_out_a_role_above_their_own(mine, role):
    place, _ = make_team()
    me, _ = join(place, mine)
    person = make_person()
    if mine in ("viewer", "member", "maintainer"):
        assert refusal(member_add, me, email=person.email, role=role).extra["lacks"] == ["members.manage"]
    elif ROLES[role] <= ROLES[mine]:
        assert member_add(me, email=person.email, role=role)["role"] == role
    else:
        problem = refusal(member_add, me, email=person.email, role=role)
        assert problem.status == 403 and "team.manage" in problem.extra["lacks"]


def test_nobody_touches_who_is_above_them():
    place, owner = make_team()
    admin, admin_person = join(place, "admin")
    _, second = join(place, "owner")
    above = member_of(owner, second)
    assert refusal(member_change, admin, above["id"], role="viewer").status == 403
    assert refusal(member_remove, admin, above["id"]).status == 403
    assert refusal(member_change, admin, member_of(owner, admin_person)["id"], role="owner").status == 403
    assert owners(place) == 2


def test_members_may_leave_but_not_remove_each_other():
    place, owner = make_team()
    one, one_person = join(place, "viewer")
    _, other_person = join(place, "viewer")
    assert refusal(member_remove, one, member_of(owner, other_person)["id"]).status == 403
    member_remove(one, member_of(owner, one_person)["id"])
    assert len(member_list(owner)["items"]) == 2


@pytest.mark.invariant("INV-25")
def test_the_last_owner_stays():
    place, owner = make_team()
    [member] = member_list(owner)["items"]
    assert refusal(member_remove, owner, member["id"]).code == Code.LAST_OWNER
    assert refusal(member_change, owner, member["id"], role="admin").code == Code.LAST_OWNER
    assert member_change(owner, member["id"], role="owner")["role"] == "owner"
    join(place, "owner")
    member_remove(owner, member["id"])
    assert owners(place) == 1


def test_a_credential_bound_to_one_project_has_no_say_over_members():
    place, owner = make_team()
    bound = owner.acting(project_id=place.project_id)
    [member] = member_list(owner)["items"]
    for call, arguments in (
        (member_add, {"email": make_person().email}),
        (member_change, {"member_id": member["id"], "role": "owner"}),
        (member_remove, {"member_id": member["id"]}),
    ):
        assert refusal(call, bound, **arguments).status == 403


def two_owners_at_once(step) -> tuple[object, list[Problem]]:
    """Two owners each take the other out (or down) at the same moment, on connections of their own."""
    place, first = make_team()
    second, _ = join(place, "owner")
    mine, theirs = member_list(first)["items"]
    barrier = threading.Barrier(2)
    refused: list[Problem] = []

    def act(principal, target) -> None:
        barrier.wait(20)
        try:
            step(principal, target["id"])
        except Problem as problem:
            refused.append(problem)

    threads = [threading.Thread(target=act, args=(first, theirs)), threading.Thread(target=act, args=(second, mine))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return place, refused


@pytest.mark.race
@pytest.mark.parametrize(
    "step", [member_remove, lambda who, target: member_change(who, target, role="viewer")], ids=["remove", "demote"]
)
def test_two_owners_who_take_each_other_out_at_once_leave_one(step):
    for _ in range(5):
        place, refused = two_owners_at_once(step)
        assert [problem.code for problem in refused] == [Code.LAST_OWNER]
        assert owners(place) == 1


@pytest.mark.race
def test_negative_control_without_locking_all_rows_both_owners_go(monkeypatch):
    """Locking only the row at stake, as one would write it first: both see two owners, and both go."""
    both_looked = threading.Barrier(2)
    whole = members._lock_all

    def only_mine(member_id: str):
        found = [
            (row, Membership.objects.filter(role="owner").count())
            for row in Membership.objects.select_related("person").all()
            if row.public_id == member_id
        ]
        both_looked.wait(20)
        return found[0]

    monkeypatch.setattr(members, "_lock_all", only_mine)
    place, refused = two_owners_at_once(member_remove)
    monkeypatch.setattr(members, "_lock_all", whole)
    assert (owners(place), refused) == (0, [])

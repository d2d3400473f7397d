"""Projects and repositories: names, versions, remotes, defaults, and the look-ups kept in memory."""

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants import hooks
from tenants.db import transaction
from tenants.models import Event, Project, Repository
from tenants.names import RESERVED_PROJECTS
from tenants.permissions import Permission
from tenants.problems import Code, Problem
from tenants.remotes import remote_normalise
from tenants.selectors import projects as selectors
from tenants.selectors.projects import project_get, project_list, project_resolve, repositories_of
from tenants.selectors.repositories import repository_get, repository_list
from tenants.services.projects import project_change, project_create
from tenants.services.repositories import repository_change, repository_create, repository_delete
from tests.tenants.people import join, make_team


def refusal(call, *arguments, **named) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*arguments, **named)
    return caught.value


def told(place, *types: str) -> list[dict]:
    with transaction(place.team_id):
        found = Event.objects.filter(type__in=types).order_by("id")
        return [{"type": event.type, "project": event.project_id, **event.data} for event in found]


# Projects


def test_a_project_is_made_with_or_without_a_repository():
    place, owner = make_team()
    bare = project_create(owner, slug="bare")
    full = project_create(owner, slug="full", name="Full", repository="app", remote="git@github.com:Org/App.git")
    assert (bare["name"], bare["version"], bare["frozen"]) == ("bare", 1, None)
    assert repository_list(owner, "bare")["items"] == []
    [repository] = repository_list(owner, "full")["items"]
    assert (repository["slug"], repository["remote"], repository["is_default"]) == ("app", "github.com/org/app", True)
    assert [project["slug"] for project in project_list(owner)["items"]] == ["main", "bare", "full"]
    assert project_get(owner, "full") == full
    assert [event["slug"] for event in told(place, "project.created")] == ["bare", "full"]


@pytest.mark.parametrize(
    "slug",
    ["", "-a", "a-", "A", "a_b", "a b", "x" * 41, "é", "a/b", "..", "a\x00", "a\n", *sorted(RESERVED_PROJECTS)],
)
def test_bad_and_reserved_names_are_refused(slug):
    _, owner = make_team()
    problem = refusal(project_create, owner, slug=slug)
    assert (problem.code, problem.errors[0].field) == (Code.INVALID, "slug")


def test_a_taken_name_is_refused_also_when_two_ask_at_once():
    place, owner = make_team()
    assert refusal(project_create, owner, slug="main").code == Code.ALREADY_EXISTS
    barrier, answers = threading.Barrier(4), []

    def ask() -> None:
        barrier.wait(20)
        try:
            answers.append(project_create(owner, slug="wanted")["slug"])
        except Problem as problem:
            answers.append(problem.code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == sorted([*[Code.ALREADY_EXISTS] * 3, "wanted"])
    assert len(told(place, "project.created")) == 1


def test_a_write_on_an_old_version_is_refused_and_changes_nothing():
    _, owner = make_team()
    changed = project_change(owner, "main", expected_version=1, policy={"idle_limit_seconds": 60})
    assert (changed["version"], changed["policy"]["idle_limit_seconds"]) == (2, 60)
    problem = refusal(project_change, owner, "main", expected_version=1, policy={"idle_limit_seconds": 90})
    assert (problem.status, problem.extra["version"]) == (412, 2)
    assert project_get(owner, "main") == changed
    assert project_change(owner, "main", expected_version=2, policy={"idle_limit_seconds": 60})["version"] == 2


def test_what_changed_is_told_with_before_and_after():
    place, owner = make_team()
    project_change(owner, "main", name="Renamed", policy={"grace_seconds": 5, "takeover_needs_reason": True})
    name, policy = told(place, "project.changed", "policy.changed")
    assert name["changes"] == {"name": ["Main", "Renamed"]}
    assert policy["changes"] == {"grace_seconds": [300, 5], "takeover_needs_reason": [False, True]}
    assert name["project"] == place.project_id


@pytest.mark.parametrize(
    "policy",
    [{"unknown": 1}, {"grace_seconds": -1}, {"grace_seconds": "5"}, {"grace_seconds": True}, {"max_ttl_seconds": 10**9},
     {"takeover_needs_reason": 1}, {"grace_seconds": None}],
)  # fmt: skip
def test_bad_policies_are_refused_by_field(policy):
    _, owner = make_team()
    problem = refusal(project_change, owner, "main", policy=policy)
    assert problem.code == Code.INVALID
    assert problem.errors[0].field == f"policy.{next(iter(policy))}"


def test_the_words_of_the_guard_and_of_verification_are_changed_like_limits():
    place, owner = make_team()
    words = ("guard_policy", "guard_offline", "verify_policy")
    assert [project_get(owner, "main")["policy"][word] for word in words] == ["auto-claim", "open", "warn"]
    asked = {"guard_policy": "strict", "guard_offline": "closed", "verify_policy": "enforce"}
    changed = project_change(owner, "main", policy=asked)
    assert {word: changed["policy"][word] for word in words} == asked
    [told_of] = told(place, "policy.changed")
    assert told_of["changes"] == {
        "guard_policy": ["auto-claim", "strict"],
        "guard_offline": ["open", "closed"],
        "verify_policy": ["warn", "enforce"],
    }
    project_change(owner, "main", policy={"guard_policy": "strict"})
    assert len(told(place, "policy.changed")) == 1  # nothing changed


@pytest.mark.parametrize(
    ("policy", "value", "choices"),
    [
        ("guard_policy", "off", "observe, auto-claim, strict"),
        ("guard_policy", "", "observe, auto-claim, strict"),
        ("guard_policy", True, "observe, auto-claim, strict"),
        ("guard_policy", ["strict"], "observe, auto-claim, strict"),
        ("guard_offline", "Open", "open, closed"),
        ("verify_policy", None, "off, warn, enforce"),
        ("verify_policy", 0, "off, warn, enforce"),
    ],
)
def test_a_word_that_is_no_choice_is_refused_with_the_choices(policy, value, choices):
    _, owner = make_team()
    problem = refusal(project_change, owner, "main", policy={policy: value})
    assert (problem.code, problem.errors[0].field) == (Code.INVALID, f"policy.{policy}")
    assert choices in problem.errors[0].detail
    assert project_get(owner, "main")["version"] == 1


def test_every_policy_is_a_number_a_choice_or_yes_and_no():
    _, owner = make_team()
    shown = project_get(owner, "main")["policy"]
    assert {name for name, value in shown.items() if isinstance(value, str)} == set(selectors.CHOICES)
    assert all(shown[name] in choices for name, choices in selectors.CHOICES.items())
    for name, choices in selectors.CHOICES.items():
        for choice in choices:
            assert project_change(owner, "main", policy={name: choice})["policy"][name] == choice


def test_a_policy_change_waits_for_the_projects_lock(monkeypatch):
    place, owner = make_team()
    locked = []
    monkeypatch.setattr(hooks, "project_lockers", [lambda tx, project_id: locked.append(project_id)])
    project_change(owner, "main", name="No policy")
    assert locked == []
    project_change(owner, "main", policy={"grace_seconds": 1})
    assert locked == [place.project_id]


def test_roles():
    place, owner = make_team()
    maintainer, _ = join(place, "maintainer")
    assert project_get(maintainer, "main")["slug"] == "main"
    assert refusal(project_create, maintainer, slug="x").extra["lacks"] == ["projects.manage"]
    assert refusal(project_change, maintainer, "main", policy={"grace_seconds": 1}).extra["lacks"] == ["policy.edit"]
    assert refusal(project_change, maintainer, "main", name="x").extra["lacks"] == ["projects.manage"]
    bound = owner.acting(project_id=place.project_id)
    assert refusal(project_create, bound, slug="x").status == 403
    nobody = owner.acting(permissions=frozenset({Permission.COORDINATE}))
    assert refusal(project_get, nobody, "main").status == 403
    assert [p["slug"] for p in project_list(bound)["items"]] == ["main"]


# What the hot paths keep in memory


def test_a_known_project_costs_no_question():
    _, owner = make_team()
    first = project_resolve(owner, "main")
    repositories_of(owner, first.id)
    with CaptureQueriesContext(connection) as asked:
        assert project_resolve(owner, "main") is first
        assert repositories_of(owner, first.id)["main"].is_default
        assert repositories_of(owner.team_id, first.id)
    assert len(asked) == 0


def test_the_look_ups_work_inside_an_open_transaction_and_refuse_another_teams():
    place, owner = make_team()
    _, stranger = make_team()
    with transaction(place.team_id):
        ref = project_resolve(owner, "main")
        assert set(repositories_of(owner, ref.id)) == {"main"}
        with pytest.raises(RuntimeError, match="another team"):
            project_resolve(stranger, "main")


def test_repositories_are_read_again_after_a_change_here_and_after_some_seconds_elsewhere(monkeypatch):
    place, owner = make_team()
    assert not repositories_of(owner, place.project_id)["main"].case_insensitive
    repository_change(owner, "main", "main", case_insensitive=True)
    seen = repositories_of(owner, place.project_id)["main"]
    assert (seen.case_insensitive, seen.version) == (True, 2)
    with transaction(place.team_id):  # as another process would
        Repository.objects.filter(id=place.repository_id).update(case_insensitive=False, version=3)
    later = selectors.time.monotonic() + selectors.REPOSITORY_SECONDS + 1
    monkeypatch.setattr(selectors.time, "monotonic", lambda: later)
    assert repositories_of(owner, place.project_id)["main"].version == 3


def test_a_forgotten_project_is_asked_for_again():
    place, owner = make_team()
    ref = project_resolve(owner, "main")
    with transaction(place.team_id):
        Repository.objects.all().delete()
        Project.objects.filter(id=ref.id).delete()
    assert project_resolve(owner, "main") == ref
    selectors.forget(ref.id)
    assert refusal(project_resolve, owner, "main").code == Code.NOT_FOUND


# Repositories


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("git@github.com:org/app.git", "github.com/org/app"),
        ("https://github.com/org/app", "github.com/org/app"),
        ("https://GitHub.com/Org/App.git/", "github.com/org/app"),
        ("ssh://git@github.com:22/org/app", "github.com/org/app"),
        ("github.com/org/app", "github.com/org/app"),
        ("https://user:ghp_secret@github.com/org/app", "github.com/org/app"),
        ("https://git.example/g/a.git?private_token=secret#x", "git.example/g/a"),
        ("ssh://git@git.example:2222/Team/App.git", "git.example:2222/Team/App"),
        ("http://[2001:DB8::1]:8080/a", "[2001:db8::1]:8080/a"),
        ("  git://git.example//a///b  ", "git.example/a/b"),
        ("git@gitserver:team/app.git", "gitserver/team/app"),
        ("", ""),
    ],
)
def test_one_spelling_for_a_remote_without_credentials(given, stored):
    assert remote_normalise(given) == stored
    assert remote_normalise(stored) == stored


@pytest.mark.parametrize(
    "given",
    ["/srv/git/app", "../app", "file:///srv/app", "C:\\app", "https://", "https://host", "https://host/", "host",
     "https://host/../a", "https://host/%2e%2e/a", "https://host:99999/a", "ftp://host/a", "https://h/a b", "h\x00.x/a",
     "https://host/a\u0000b", "x.y/" + "a" * 500, "--upload-pack=touch:x"],
)  # fmt: skip
def test_what_is_no_remote_is_refused(given):
    assert refusal(remote_normalise, given).errors[0].field == "remote"


def test_the_first_repository_is_the_default_and_another_may_take_over():
    _, owner = make_team()
    project_create(owner, slug="p")
    first = repository_create(owner, "p", slug="first")
    second = repository_create(owner, "p", slug="second", remote="git@host.example:a/b.git")
    assert (first["is_default"], second["is_default"]) == (True, False)
    assert repository_change(owner, "p", "second", expected_version=1, is_default=True)["version"] == 2
    assert [r["is_default"] for r in repository_list(owner, "p")["items"]] == [False, True]
    assert repository_create(owner, "p", slug="third", is_default=True)["is_default"]
    assert [r["is_default"] for r in repository_list(owner, "p")["items"]] == [False, False, True]
    assert refusal(repository_change, owner, "p", "third", is_default=False).code == Code.CONFLICT
    assert refusal(repository_create, owner, "p", slug="first").code == Code.ALREADY_EXISTS


def test_two_first_repositories_at_once_make_one_default():
    _, owner = make_team()
    project_create(owner, slug="p")
    barrier, made = threading.Barrier(3), []

    def ask(slug: str) -> None:
        barrier.wait(20)
        made.append(repository_create(owner, "p", slug=slug)["is_default"])

    threads = [threading.Thread(target=ask, args=(f"r{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(made) == [False, False, True]


def test_repository_versions_and_events():
    place, owner = make_team()
    assert refusal(repository_change, owner, "main", "main", expected_version=7, remote="").status == 412
    changed = repository_change(
        owner, "main", "main", expected_version=1, remote="git@h.example:a/b", default_branch="dev"
    )
    assert (changed["version"], changed["default_branch"]) == (2, "dev")
    [event] = told(place, "repository.changed")
    assert event["changes"] == {"remote": ["", "h.example/a/b"], "default_branch": ["main", "dev"]}
    assert repository_change(owner, "main", "main", remote="https://h.example/a/b")["version"] == 2
    for slug in ("absent", "nul\x00", "main\x00", ""):
        assert refusal(repository_get, owner, "main", slug).code == Code.NOT_FOUND
        assert refusal(repository_change, owner, "main", slug, remote="").code == Code.NOT_FOUND


def test_a_repository_with_claimed_ground_keeps_its_case_and_stays(monkeypatch):
    place, owner = make_team()
    in_use = [True]
    monkeypatch.setattr(hooks, "repository_users", [lambda tx, repository_id: in_use[0]])
    assert refusal(repository_change, owner, "main", "main", case_insensitive=True).code == Code.CONFLICT
    assert refusal(repository_delete, owner, "main", "main").code == Code.CONFLICT
    assert repository_change(owner, "main", "main", case_insensitive=False)["version"] == 1
    in_use[0] = False
    assert repository_change(owner, "main", "main", case_insensitive=True)["case_insensitive"]
    repository_delete(owner, "main", "main")
    assert repositories_of(owner, place.project_id) == {}
    assert told(place, "repository.deleted")[0]["slug"] == "main"


def test_the_default_repository_goes_last():
    _, owner = make_team()
    repository_create(owner, "main", slug="second")
    assert refusal(repository_delete, owner, "main", "main").code == Code.CONFLICT
    repository_delete(owner, "main", "second")
    repository_delete(owner, "main", "main")
    assert repository_list(owner, "main")["items"] == []


def test_repositories_are_managed_by_maintainers_and_up():
    place, _ = make_team()
    member, _ = join(place, "member")
    maintainer, _ = join(place, "maintainer")
    assert refusal(repository_create, member, "main", slug="x").extra["lacks"] == ["repositories.manage"]
    assert refusal(repository_change, member, "main", "main", remote="").status == 403
    assert refusal(repository_delete, member, "main", "main").status == 403
    assert repository_create(maintainer, "main", slug="my.app_2")["slug"] == "my.app_2"
    for slug in ("", ".x", "x.", "A", "a/b", "x" * 81, "a b", "é"):
        assert refusal(repository_create, maintainer, "main", slug=slug).errors[0].field == "slug"

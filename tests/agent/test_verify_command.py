"""`interlock verify`: what it looks at, what it says, how it ends; and the calls it makes of very many changes."""

from pathlib import Path

import pytest

from mcp_gateway.agent import verifying
from mcp_gateway.agent.git import Change
from tests.agent.gitting import Repo
from tests.agent.wire import Wire
from tests.agent.working import Session, Worker, allowed
from tests.making import Place


def test_the_working_tree_is_grouped_by_what_is_wrong(ada: Session, ben: Session, repo: Repo, place: Place) -> None:
    ada.start()
    allowed(ben.edit("src/b"))
    ada.worker.interlock("claim", "src/a", check=0)
    for name in ("src/a", "src/b", "new"):
        repo.write(name, "changed\n")
    done = ada.worker.interlock("verify", check=1)  # others' ground fails under every policy but `off`
    lines = done.out.splitlines()
    assert lines[0].startswith("held by others") and lines[1].startswith("  src/b: claude-code (ins_")
    assert lines[2].startswith("unclaimed") and lines[3] == "  new"
    assert lines[-1] == "fail (policy warn): 1 covered"
    place.set_policy(verify_policy="off")
    assert ada.worker.interlock("verify", "worktree", check=0).out.endswith("pass (policy off): 1 covered\n")


def test_only_what_is_staged_is_looked_at_and_attested_when_asked(ada: Session, repo: Repo) -> None:
    ada.start()
    ada.worker.interlock("claim", "src", check=0)
    repo.write("src/a", "staged\n")
    repo.git("add", "-A")
    repo.write("other", "not staged\n")
    found = ada.worker.interlock("verify", "staged", "--attest", "--json", check=0).json
    assert [(f["path"], f["status"]) for f in found["findings"]] == [("src/a", "covered")]
    assert (found["verdict"], found["attested"]) == ("pass", 1)
    ada.worker.interlock("release", "--all", check=0)
    repo.git("commit", "-q", "--no-verify", "-m", "A.")
    for commits in ("HEAD~1..HEAD", "HEAD~1..", "HEAD~1...HEAD"):
        assert "pass (policy warn): 1 attested" in ada.worker.interlock("verify", "range", commits, check=0).out
    assert "1 attested" in ada.worker.interlock("verify", "HEAD~1..HEAD", check=0).out


def test_nothing_changed_passes_without_a_call(ada: Session, line: Wire) -> None:
    with line.counted() as number:
        assert ada.worker.interlock("verify", check=0).out == "nothing changed\n"
        assert ada.worker.interlock("verify", "range", "HEAD..HEAD", check=0).out == "nothing changed\n"
    assert number == [0]


def test_wrong_use_ends_with_two_and_the_way_out(ada: Session) -> None:
    for arguments in (["range"], ["main"], ["staged", "a..b"], ["a..b", "c"], ["worktree", "--attest"]):
        assert ada.worker.interlock("verify", *arguments).code == 2, arguments
    assert "fetch-depth: 0" in ada.worker.interlock("verify", "nowhere..HEAD", check=2).err


def test_a_server_that_is_away_ends_with_three(ada: Session, repo: Repo, line: Wire) -> None:
    repo.write("new", "x")
    line.cut = True
    ada.worker.interlock("verify", check=3)


def test_a_pipelines_token_verifies_and_registers_nobody(
    ada: Session, repo: Repo, place: Place, tmp_path: Path, alice
) -> None:
    repo.write("new", "x")
    with Worker("runner", repo.path, tmp_path / "bin", {"INTERLOCK_TOKEN": place.token(preset="ci")}) as runner:
        assert "unclaimed" in runner.interlock("verify", check=0).out
        assert runner.interlock("verify", "staged", "--attest").code in (2, 3)
    assert alice.get("P/roster").json()["items"] == []


def test_very_many_changes_are_asked_in_parts_that_the_server_takes(ada: Session, repo: Repo, line: Wire) -> None:
    for number in range(2200):
        repo.write(f"{'x' * 200}/{'y' * 200}/{number:04}", "x")
    with line.counted() as connections:
        found = ada.worker.interlock("verify", "--json", check=0).json
    assert connections[0] > 2
    assert [f["path"][-4:] for f in found["findings"]] == [f"{number:04}" for number in range(2200)]
    assert (found["verdict"], found["failed"]) == ("warn", 2200)


@pytest.mark.parametrize(("patches", "sent"), [(("a" * 64, ""), None), ((), None), (("a" * 64,) * 3, ["a" * 64])])
def test_digests_are_sent_when_every_commit_has_one(patches: tuple[str, ...], sent: list[str] | None) -> None:
    [[change]] = verifying.parts([Change("a", "b" * 40, "", patches)])
    assert change.get("patches") == sent


def test_a_path_that_cannot_be_named_fails_where_coverage_is_enforced(ada: Session, repo: Repo, place: Place) -> None:
    ada.start()
    ada.worker.interlock("claim", "src", check=0)
    repo.write("src/new\nline", "x")
    repo.write("src/a", "changed")
    assert "cannot be named" in ada.worker.interlock("verify", check=0).out
    place.set_policy(verify_policy="enforce")
    found = ada.worker.interlock("verify", "--json", check=1).json
    assert [(f["path"], f["status"]) for f in found["findings"]] == [
        ("src/a", "covered"),
        ("src/new\nline", "unnameable"),
    ]

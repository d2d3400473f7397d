"""The server cannot be asked: what the offline policy makes of it, what is written down, what is told afterwards."""

import json
import os
from pathlib import Path

import pytest

from mcp_gateway.agent.hooks import entry
from tests.agent.gitting import Repo
from tests.agent.wire import Wire
from tests.agent.working import COMMAND, Session, allowed, refused
from tests.making import Place
from tests.web import running_web


def test_open_lets_edits_through_writes_them_down_and_tells_them_when_the_server_is_back(
    ada: Session, repo: Repo, line: Wire
) -> None:
    ada.start()
    line.cut = True
    told = allowed(ada.edit("src/a"))
    assert "could not be asked" in told and "src/a" in told and "interlock doctor" in told
    repo.write("src/a", "written offline\n")
    assert "session-ada src/a" in (repo.path / ".interlock/offline.log").read_text()
    line.cut = False
    _pause_over(repo)
    told = allowed(ada.prompt())
    assert "Interlock is back" in told and "src/a changed without a claim" in told
    assert "back" not in allowed(ada.prompt())


def test_closed_refuses_edits_with_the_way_out_and_lets_the_rest_go_on(ada: Session, line: Wire, place: Place) -> None:
    place.set_policy(guard_offline="closed")
    ada.start()
    allowed(ada.edit("src/a"))
    line.cut = True
    assert "offline policy is closed" in refused(ada.edit("src/b"))
    assert "interlock doctor" in refused(ada.about_to_run("rm src/b"))
    assert "interlock doctor" in refused(ada.about_to_run("git reset --hard"))
    allowed(ada.about_to_run("cat src/b"))
    # What was found covered a moment ago still is.
    allowed(ada.edit("src/a"))
    assert ada.prompt().out == "" and ada.hook("Stop").out == ""


def test_the_policy_is_known_to_a_session_that_begins_while_the_server_is_away(
    ada: Session, ben: Session, line: Wire, place: Place
) -> None:
    place.set_policy(guard_offline="closed")
    ada.start()
    line.cut = True
    assert "refused until it answers" in allowed(ben.start())
    refused(ben.edit("src/b"))


def test_until_the_server_was_ever_reached_edits_are_let_through(ada: Session, line: Wire) -> None:
    line.cut = True
    assert "cannot be asked now" in allowed(ada.start())
    assert "could not be asked" in allowed(ada.edit("src/a"))


def test_a_server_that_did_not_answer_is_not_asked_again_at_once(ada: Session, line: Wire) -> None:
    ada.start()
    line.cut = True
    allowed(ada.edit("src/a"))
    with line.counted() as number:
        allowed(ada.edit("src/b"))
    assert number == [0]


def test_a_server_that_was_stopped_is_away(ada: Session, repo: Repo, place: Place) -> None:
    with running_web() as web:
        file = repo.path / ".interlock/local.env"
        url = next(text for text in file.read_text().splitlines() if text.startswith("INTERLOCK_URL"))
        file.write_text(file.read_text().replace(url, f"INTERLOCK_URL={web.url}"))
        ada.start()
    assert "could not be asked" in allowed(ada.edit("src/a"))


def test_a_token_that_is_no_longer_good_is_said_and_the_policy_decides(ada: Session, repo: Repo, place: Place) -> None:
    ada.start()
    file = repo.path / ".interlock/local.env"
    token = next(text for text in file.read_text().splitlines() if text.startswith("INTERLOCK_TOKEN"))
    file.write_text(file.read_text().replace(token, "INTERLOCK_TOKEN=ilk_agent_gone_gone_gone"))
    done = ada.edit("src/a")
    assert "the token is not let in" in allowed(done)
    assert "ilk_agent_gone" not in done.out + done.err


@pytest.mark.parametrize(("policy", "code"), [("open", 0), ("closed", 2)])
def test_a_fault_of_our_own_is_one_line_and_the_offline_policy_decides(
    policy: str, code: int, ada: Session, repo: Repo, place: Place, tmp_path: Path
) -> None:
    place.set_policy(guard_offline=policy)
    ada.start()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import mcp_gateway.agent.hooks.targets as t\n\ndef groups(use):\n    raise RuntimeError('broken\\nin two')\n\n"
        "t.groups = groups\n"
    )
    path = os.pathsep.join([str(broken), *filter(None, [str(Path(entry.__file__).resolve().parents[3])])])
    done = ada.worker.run(*_command(ada), stdin=_payload(ada), PYTHONPATH=path)
    assert done.code == code
    assert done.err.splitlines()[0] == "interlock hook: RuntimeError: broken in two"
    assert "Traceback" not in done.err + done.out


def _command(session: Session) -> list[str]:
    return [*COMMAND, "hook", session.client]


def _payload(session: Session) -> str:
    return json.dumps(
        {
            "session_id": session.id,
            "hook_event_name": "PreToolUse",
            "cwd": str(session.worker.cwd),
            "tool_name": "Edit",
            "tool_input": {"file_path": str(session.worker.cwd / "src/a")},
        }
    )


def _pause_over(repo: Repo) -> None:
    """As if the pause after a call that was not answered were over."""
    for file in (repo.path / ".interlock/runs").glob("*.cache"):
        said = json.loads(file.read_text())
        said.pop("away", None)
        file.write_text(json.dumps(said))

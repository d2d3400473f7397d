"""Hook calls at the same moment: two sessions never get one file, and one session never becomes two runs."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.agent.gitting import Repo
from tests.agent.working import COMMAND, Session, Worker
from tests.client import Api


def test_of_two_first_touches_at_once_exactly_one_is_let_through(ada: Session, ben: Session) -> None:
    ada.start()
    ben.start()
    with ThreadPoolExecutor(2) as both:
        for number in range(6):
            done = list(both.map(lambda session, path=f"raced-{number}": session.edit(path), (ada, ben)))
            assert sorted(one.code for one in done) == [0, 2], done


def test_first_calls_of_a_session_at_once_register_one_run(
    ada: Session, repo: Repo, alice: Api, tmp_path: Path
) -> None:
    # Clients call tools in parallel: here nothing of the session was heard before.
    calls = []
    for number in range(4):
        payload = {
            "session_id": ada.id,
            "hook_event_name": "PreToolUse",
            "cwd": str(repo.path),
            "tool_name": "Write",
            "tool_input": {"file_path": str(repo.path / f"new-{number}"), "content": "x"},
        }
        file = tmp_path / f"payload-{number}"
        file.write_text(json.dumps(payload))
        calls.append(f"{' '.join(COMMAND)} hook claude-code < {file} & p{number}=$!")
    waits = "; ".join(f"wait $p{number} || exit 1" for number in range(4))
    assert ada.worker.shell("\n".join([*calls, waits])).code == 0
    [run] = alice.get("P/roster").json()["items"]
    held = alice.get("P/claims", params={"state": "held"}).json()["items"]
    assert {claim["holder"]["instance"] for claim in held} == {run["id"]}
    assert {scope["pattern"] for claim in held for scope in claim["scopes"]} == {f"file:new-{n}" for n in range(4)}


def test_commands_and_tools_of_a_session_at_once_are_one_run(repo: Repo, alice: Api, tmp_path: Path) -> None:
    with Worker("claude", repo.path, tmp_path / "bin") as worker:
        line = " ".join(COMMAND)
        calls = [f"{line} claim cli-{number} & p{number}=$!" for number in range(4)]
        waits = "; ".join(f"wait $p{number} || exit 1" for number in range(4))
        done = worker.shell("\n".join([*calls, waits]))
        assert done.code == 0, done
    assert len(alice.get("P/roster").json()["items"]) == 1

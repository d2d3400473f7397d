"""Payloads as the clients really send them, through the real command, answered in each client's own words.

And no two sessions of any client ever get the same file.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordination.engine.guard.payloads import CLIENTS
from tests.agent.gitting import Repo
from tests.agent.wire import Wire
from tests.agent.working import COMMAND, Done, Worker
from tests.engine.guard.cases import cases

_HOME = "/home/dev/repo"
_SECRET = "SECRET-CONTENT"


@pytest.fixture
def workers(repo: Repo, tmp_path: Path) -> Iterator[tuple[Worker, Worker]]:
    with Worker("node", repo.path, tmp_path / "bin") as one, Worker("node", repo.path, tmp_path / "bin") as two:
        yield one, two


def payload(case: dict[str, Any], repo: Repo, session: str) -> str:
    """The payload of a case as if it were sent from this checkout, by this session."""
    text = json.dumps(case["payload"]).replace(_HOME, str(repo.path))
    said = json.loads(text)
    return json.dumps(said | {name: session for name in ("session_id", "conversation_id") if name in said})


def hook(worker: Worker, client: str, text: str) -> Done:
    done = worker.run(*COMMAND, "hook", client, stdin=text)
    assert "Traceback" not in done.err and done.code in (0, 2), done
    return done


def inside(case: dict[str, Any]) -> list[str]:
    """The paths of the repository a case writes; none for one that is not about them alone."""
    expect = case.get("expect", {"event": ""})
    if expect["event"] != "pre_tool" or expect.get("dangers") or expect["cwd"][:1] != "/":
        return []
    found = [path if path.startswith("/") else f"{expect['cwd']}/{path}" for _, path in expect.get("touches", ())]
    ours = [path for path in found if path.startswith(_HOME + "/") and ".." not in path]
    return ours if len(ours) == len(found) else []


@pytest.mark.parametrize("client", CLIENTS)
def test_what_one_session_edits_the_next_one_is_refused(
    client: str, workers: tuple[Worker, Worker], repo: Repo, line: Wire
) -> None:
    judged = 0
    for case in cases(client):
        first = hook(workers[0], client, payload(case, repo, "session-one"))
        assert first.out == "" or isinstance(first.json, dict), case["name"]
        if inside(case):
            assert first.code == 0, case["name"]
            second = hook(workers[1], client, payload(case, repo, "session-two"))
            assert second.code == 2 and "held by" in second.err, case["name"]
            assert "held by" in json.dumps(second.json)
            judged += 1
        elif case.get("expect", {}).get("event") == "session_end":
            break
    assert judged >= 3
    assert _SECRET.encode() not in line.sent

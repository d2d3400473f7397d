"""Claude Code's hooks over HTTP, as it sends them, against a real web process."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from coordination.services import claims
from coordination.services.requests import ClaimRequest, ScopeRequest
from tenants.auth import principal_for_token
from tenants.db import transaction
from tenants.selectors import tokens
from tenants.services import tokens as token_services
from tests.concurrency.watching import until
from tests.making import Place, make_place
from tests.services.guarding import events
from tests.web import Web, running_web

MARKER = "c0ntent-that-must-not-stay"


class Tool:
    """One session of Claude Code that posts its hooks."""

    def __init__(
        self, web: Web, place: Place, *, token: str | None = None, session: str = "s1", cwd: str = "/work/app"
    ) -> None:
        self.token = place.token() if token is None else token
        self.url = f"{web.url}/hooks/{place.slug}/main/claude-code"
        self.session, self.cwd = session, cwd
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def post(self, event: str, query: str = "", **fields: Any) -> httpx.Response:
        """Send a payload as Claude Code makes it."""
        payload = {
            "session_id": self.session,
            "transcript_path": "/home/u/.claude/t.jsonl",
            "cwd": self.cwd,
            "permission_mode": "default",
            "hook_event_name": event,
            **fields,
        }
        return httpx.post(self.url + query, json=payload, headers=self.headers, timeout=30)

    def said(self, event: str, query: str = "", **fields: Any) -> dict[str, Any]:
        """What the hook is told; always 200."""
        answer = self.post(event, query, **fields)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        told: dict[str, Any] = answer.json().get("hookSpecificOutput", {})
        assert told.get("hookEventName", event) == event
        return told

    def write(self, path: str, query: str = "") -> dict[str, Any]:
        """The Write tool is about to run."""
        return self.said("PreToolUse", query, tool_name="Write", tool_input={"file_path": path, "content": MARKER})

    def shell(self, command: str) -> dict[str, Any]:
        """The Bash tool is about to run."""
        return self.said("PreToolUse", tool_name="Bash", tool_input={"command": command})

    def prompt(self, query: str = "") -> str:
        """The person said something."""
        return str(self.said("UserPromptSubmit", query, prompt=MARKER).get("additionalContext", ""))


@pytest.fixture
def place() -> Place:
    return make_place()


def runs(place: Place) -> list[dict[str, Any]]:
    """Every run of a team, oldest first."""
    with transaction(place.team_id) as tx:
        return tx.run(
            "SELECT id, agent_name, tool, worktree, thread_id, guard_door, ended_at, model FROM coordination_instance"
            " WHERE team_id = %s ORDER BY id",
            [place.team_id],
        ).fetchall()


def test_the_first_prompt_introduces_the_run_and_edits_claim_what_they_touch(web: Web, place: Place) -> None:
    ada, ben = Tool(web, place), Tool(web, place, session="s2")
    told = ada.prompt("?agent=ada")
    assert "You are agent ada, run ins_" in told
    [run] = runs(place)
    assert (run["tool"], run["worktree"], run["thread_id"], run["guard_door"]) == (
        "claude-code",
        "/work/app",
        "s1",
        "http",
    )
    assert ada.write("/work/app/src/a.py", "?agent=ada") == {}
    refused = ben.write("/work/app/src/a.py", "?agent=ben")
    assert refused["permissionDecision"] == "deny"
    assert "src/a.py is held by ada (ins_" in refused["permissionDecisionReason"]
    assert ben.write("/work/app/src/b.py", "?agent=ben") == {}
    assert [row["paths"] for row in events(place, "guard.refused")] == [["src/a.py"]]


def test_a_session_that_says_it_begins_is_started_and_one_that_ends_lets_go(web: Web, place: Place) -> None:
    ada, ben = Tool(web, place), Tool(web, place, session="s2")
    told = ada.said("SessionStart", "?agent=ada", source="startup", model="opus")
    assert ".interlock/probe/" in told["additionalContext"]
    assert runs(place)[0]["model"] == "opus"
    assert ada.write("/work/app/a.py", "?agent=ada") == {}
    assert ben.write("/work/app/a.py", "?agent=ben")["permissionDecision"] == "deny"
    assert ada.post("Stop", "?agent=ada", stop_hook_active=False).json() == {}
    assert ada.post("SessionEnd", "?agent=ada", reason="logout").json() == {}
    assert ben.write("/work/app/a.py", "?agent=ben") == {}


def test_the_probe_is_refused_and_seen(web: Web, place: Place) -> None:
    ada = Tool(web, place)
    told = ada.said("SessionStart", source="startup")["additionalContext"]
    probe = next(word for word in told.replace("writing ", "\n").split() if word.startswith(".interlock/probe/"))
    assert ada.write(f"/work/app/{probe}")["permissionDecision"] == "deny"
    assert events(place, "guard.probed") == [{"agent": "claude-code", "door": "http"}]


def test_claims_made_by_other_doors_cover_and_paths_follow_the_checkout(web: Web, place: Place) -> None:
    place.set_policy(guard_policy="strict")
    ada = Tool(web, place)
    ada.prompt()
    claims.claim(principal_for_token(ada.token), "main", ClaimRequest((ScopeRequest("src/**"),)))
    assert ada.write("/work/app/src/deep/a.py") == {}
    ada.cwd = "/work/app/src/deep"  # it went into a folder: its checkout is where it began
    assert ada.write("b.py") == {}
    assert ada.write("/work/app/.claude/worktrees/agent-1/src/c.py") == {}
    assert ada.write("/tmp/elsewhere.py") == {}  # nobody's ground here
    assert ada.write("../../other.py")["permissionDecision"] == "deny"
    assert len(runs(place)) == 1


def test_the_checkouts_top_may_be_said_by_a_header(web: Web, place: Place) -> None:
    ada = Tool(web, place, cwd="/work/app/packages/web")
    ada.headers["Interlock-Root"] = "/work/app"
    assert ada.write("/work/app/lib/a.py") == {}
    [granted] = events(place, "claim.granted")
    assert granted["scopes"][0]["pattern"] == "file:lib/a.py"
    assert runs(place)[0]["worktree"] == "/work/app"
    unfilled = Tool(web, place, session="s2")
    unfilled.headers["Interlock-Root"] = "$INTERLOCK_ROOT"
    assert unfilled.write("/work/app/lib/b.py") == {}
    assert events(place, "claim.granted")[-1]["scopes"][0]["pattern"] == "file:lib/b.py"


def test_windows_paths_are_paths(web: Web, place: Place) -> None:
    ada = Tool(web, place, cwd="C:\\work\\app")
    assert ada.write("c:\\work\\app\\src\\a.py") == {}
    assert events(place, "claim.granted")[0]["scopes"][0]["pattern"] == "file:src/a.py"


def test_shell_commands_are_judged_by_what_they_write(web: Web, place: Place) -> None:
    ada, ben = Tool(web, place), Tool(web, place, session="s2")
    ada.write("/work/app/src/a.py")
    for command in ("echo x > src/a.py", "rm -rf src"):
        assert ben.shell(command)["permissionDecision"] == "deny", command
    assert ben.shell("cat src/a.py") == {}
    told = ben.shell("git reset --hard")
    assert told["permissionDecision"] == "deny" and "git reset --hard" in told["permissionDecisionReason"]
    for elsewhere in ("git -C /other reset --hard", "cd .claude/worktrees/w1 && git reset --hard"):
        assert ben.shell(elsewhere) == {}, elsewhere


def test_the_shared_token_of_two_sessions_gives_each_its_own_run(web: Web, place: Place) -> None:
    token = place.token()
    one, two = Tool(web, place, token=token), Tool(web, place, token=token, session="s2")
    one.write("/work/app/a.py")
    assert two.write("/work/app/a.py")["permissionDecision"] == "deny"
    assert len(runs(place)) == 2


def test_contents_commands_and_prompts_stay_nowhere(place: Place) -> None:
    with running_web(LOG_LEVEL="DEBUG") as web:
        say_what_must_not_stay(web, place)
        assert "/claude-code 200" in web.said() and MARKER not in web.said()
    with transaction(place.team_id) as tx:
        tables = tx.run(
            "SELECT table_name FROM information_schema.columns"
            " WHERE column_name = 'team_id' AND table_schema = 'public'"
        ).fetchall()
        for table in {row["table_name"] for row in tables}:
            found = tx.run(
                f"SELECT count(*) AS n FROM {table} AS t WHERE t.team_id = %s AND t::text LIKE %s",
                [place.team_id, f"%{MARKER}%"],
            ).fetchone()
            assert found is not None and found["n"] == 0, table


def say_what_must_not_stay(web: Web, place: Place) -> None:
    """Payloads with contents, well-formed and broken."""
    ada, ben = Tool(web, place), Tool(web, place, session="s2")
    ada.prompt()
    ada.write("/work/app/a.py")
    ben.write("/work/app/a.py")
    ada.said(
        "PreToolUse",
        tool_name="Edit",
        tool_input={"file_path": "/work/app/e.py", "old_string": MARKER, "new_string": MARKER},
    )
    ada.shell(f"echo {MARKER} > b.txt")
    ada.shell(f"python - <<'X'\n{MARKER}\nX")
    ada.said("PostToolUse", tool_name="Bash", tool_input={"command": f"echo {MARKER}"}, tool_response=MARKER)
    for broken in (
        {"tool_name": "Write", "tool_input": {"content": MARKER}},
        {"tool_name": "Write", "tool_input": MARKER},
        {"tool_name": "Bash", "tool_input": {"command": {"x": MARKER}}},
    ):
        answer = ada.post("PreToolUse", **broken)
        assert answer.status_code == 422 and MARKER not in answer.text
    cut = httpx.post(
        ada.url, content=f'{{"prompt": "{MARKER}', headers=ada.headers | {"Content-Type": "application/json"}
    )
    assert cut.status_code == 400 and MARKER not in cut.text


def test_mistakes_are_problem_documents(web: Web, place: Place) -> None:
    ada, other = Tool(web, place), make_place()

    def problem(answer: httpx.Response) -> tuple[int, str]:
        body = answer.json()
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Request-Id"] == body["request_id"]
        return answer.status_code, body["code"]

    prompt = {"session_id": "s", "cwd": "/w", "hook_event_name": "UserPromptSubmit"}

    def send(url: str, json_: Any = prompt, **headers: str) -> tuple[int, str]:
        return problem(httpx.post(url, json=json_, headers=ada.headers | headers))

    assert send(ada.url, Authorization="Bearer ilk_agent_wrong") == (401, "unauthenticated")
    assert problem(httpx.post(ada.url, json=prompt)) == (401, "unauthenticated")
    assert send(ada.url.replace(place.slug, other.slug)) == (404, "not_found")
    assert send(ada.url.replace("/main/", "/absent/")) == (404, "not_found")
    assert send(ada.url.replace("claude-code", "vim")) == (404, "not_found")
    assert problem(httpx.get(ada.url, headers=ada.headers)) == (405, "method_not_allowed")
    assert send(ada.url, prompt | {"hook_event_name": "Nonsense"}) == (422, "invalid")
    assert send(ada.url, {"hook_event_name": "UserPromptSubmit"}) == (422, "invalid")
    assert send(ada.url, [1]) == (422, "invalid")
    assert send(ada.url + "?agent=no/name") == (422, "invalid")
    assert send(ada.url + "?color=red") == (422, "invalid")
    text = httpx.post(ada.url, content=json.dumps(prompt), headers=ada.headers | {"Content-Type": "text/plain"})
    assert problem(text) == (415, "unsupported_media_type")
    huge = prompt | {"prompt": "x" * (2 * 1024 * 1024)}
    assert send(ada.url, huge) == (413, "too_large")
    reader = Tool(web, place, token=place.token(preset="reader"))
    assert problem(reader.post("UserPromptSubmit", prompt="x")) == (403, "forbidden")
    assert runs(place) == runs(other) == []


def test_a_revoked_token_is_refused(web: Web, place: Place) -> None:
    ada = Tool(web, place)
    ada.prompt()
    [token] = tokens.token_list(place.owner)["items"]
    token_services.token_revoke(place.owner, token["id"])
    until(lambda: ada.post("UserPromptSubmit", prompt="x").status_code == 401, "the token is still believed")


def test_failed_attempts_and_rates_are_counted_as_at_the_other_doors() -> None:
    place = make_place()
    with running_web(AUTH_FAILURES_PER_MINUTE="2", RATE_LIMIT_TOKEN="1") as web:
        ada = Tool(web, place)
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(lambda _: ada.post("Stop"), range(60)))
        assert {answer.status_code for answer in answers} == {200, 429}
        assert all("RateLimit" in answer.headers for answer in answers)
        wrong = Tool(web, place, token="ilk_agent_" + "x" * 30)
        tried = [wrong.post("Stop").status_code for _ in range(6)]
        assert tried[:2] == [401, 401] and 429 in tried

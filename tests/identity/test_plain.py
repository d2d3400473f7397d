"""Plain MCP clients and plain shells: no session id of their own, so the process is the session."""

from collections.abc import Callable
from pathlib import Path

from tests.agent.gitting import Repo
from tests.agent.working import COMMAND, Session, Worker, allowed
from tests.client import Api
from tests.identity.conftest import Ledger
from tests.identity.rows import row
from tests.making import Place
from tests.web import Web

Start = Callable[..., Worker]


@row("mcp-bridge", "mcp-two")
def test_a_client_without_hooks_is_one_run_for_tools_shells_and_commits(process: Start, ledger: Ledger) -> None:
    first, second = process("goose"), process("goose")
    one = {ledger.by_mcp(first), ledger.by_mcp(first), ledger.by_command(first), ledger.by_git(first)}
    two = {ledger.by_mcp(second), ledger.by_command(second), ledger.by_git(second)}
    assert len(one) == len(two) == 1 and one != two


@row("mcp-handle")
def test_a_handle_that_a_model_passes_goes_before_everything(process: Start, ledger: Ledger) -> None:
    first, second = process("goose"), process("goose")
    one = ledger.by_command(first)
    handle = first.interlock("status", "--json", check=0).json["run"]["handle"]
    assert ledger.by_mcp(second, instance=handle) == one


@row("mcp-http")
def test_over_http_a_thread_is_the_same_run_and_without_one_it_is_a_new_one(web: Web, place: Place) -> None:
    client = Api(web.url, place, token=place.token())

    def run(**said: str) -> str:
        return str(client.post("P/instances", {"agent": "ada", "worktree": "/app"} | said).json()["id"])

    assert run(thread_id="t") == run(thread_id="t")
    assert run(thread_id="t") != run(thread_id="u")
    assert run() != run()


@row("sh-person")
def test_each_terminal_is_a_run_of_its_own(process: Start, ledger: Ledger, tmp_path: Path) -> None:
    terminal = process("sshd")
    path, other = ledger.name(), ledger.name()
    line = " ".join(COMMAND)
    script = f"{line} claim {path} && ({line} check {path}; {line} claim {other} | cat; true)"
    allowed_twice = terminal.run("bash", "-c", f"{script}; :")
    assert allowed_twice.code == 0, allowed_twice
    assert ledger.granted_to(path) == ledger.granted_to(other)
    # The next shell of the same terminal program is another person, for all that is known.
    next_shell = terminal.run("bash", "-c", f"{line} claim {path}; exit $?")
    assert next_shell.code == 1 and "held by" in next_shell.out


@row("sh-commit")
def test_a_commit_in_a_shell_that_claimed_is_that_shells_run(process: Start, ledger: Ledger) -> None:
    worker = process("program")
    assert ledger.by_git(worker) == ""
    run = ledger.by_command(worker)
    assert ledger.by_git(worker) == run


@row("sh-worktree")
def test_a_shell_that_goes_to_another_worktree_is_the_same_run(
    process: Start, ledger: Ledger, repo: Repo, tmp_path: Path
) -> None:
    worker = process("program")
    run = ledger.by_command(worker)
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert ledger.by_command(worker, tmp_path / "side") == run
    assert ledger.by_git(worker, tmp_path / "side") == run


@row("sh-named")
def test_a_run_that_the_environment_names_is_every_doors(process: Start, ledger: Ledger) -> None:
    first = process("program")
    run = ledger.by_command(first)
    handle = first.interlock("status", "--json", check=0).json["run"]["handle"]
    named = Session(process("claude", INTERLOCK_INSTANCE=handle), "session-named")
    allowed(named.start())
    assert ledger.by_all(named) == {run}
    named.end()
    assert ledger.by_command(first) == run


@row("sh-token")
def test_a_token_bound_to_an_agent_gives_each_run_its_own_instance(
    process: Start, ledger: Ledger, repo: Repo, place: Place, web: Web
) -> None:
    file = repo.path / ".interlock/local.env"
    token = next(line for line in file.read_text().splitlines() if line.startswith("INTERLOCK_TOKEN"))
    file.write_text(file.read_text().replace(token, f"INTERLOCK_TOKEN={place.token(agent='builder')}"))
    one, two = process("program"), Session(process("claude"), "session-two")
    two.start()
    first, second = ledger.by_command(one), ledger.by_hook(two)
    assert first != second
    api = Api(web.url, place, token=place.token())
    agents = {item["id"]: item["agent"] for item in api.get("P/roster").json()["items"]}
    assert agents[first] == agents[second] == "builder"

#!/usr/bin/env python3
"""Two agents of different makes in one wired repository: one works by MCP, the other by hooks and commands.

    python3 docs/examples/guarded_agents.py --start           # with a platform of its own, gone afterwards
    python3 docs/examples/guarded_agents.py                   # with the one that `python3 manage.py up` runs here
    python3 docs/examples/guarded_agents.py --start --kill    # ada is killed in the middle, and resumed

It needs Python 3.11 and git. It installs the `interlock` command from the platform into an empty environment and wires
a fresh repository with `interlock init`. Then `ada` claims by MCP and edits; `ben` behaves as Claude Code does, calls
the hooks that init wrote, and is careless: it just edits. Whatever is foreign is refused at that moment,
whatever is free is claimed for it. In the end every commit of both is vouched for: `interlock verify range` says so.

Read it from `ada` and `ben` on. The stage (platform, git, the ledger) is two_agents.py.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
import venv
from pathlib import Path
from typing import Any

import two_agents as stage
from two_agents import Interlock, Json, git, give_up, shows

PATIENCE = stage.PATIENCE
ADD, MUL = "calculator/add.py", "calculator/mul.py"
SESSIONS = {"ada": "ada-session", "ben": "3f0c9f0e-ben-session"}


class Agent:
    """What both have: a name, a way to look at the ledger, and something to say."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ledger = Interlock(*(os.environ[f"PLAY_{part}"] for part in ("URL", "TEAM", "PROJECT", "TOKEN")))

    def say(self, line: str) -> None:
        """Tell whoever watches."""
        print(f"  {self.name:<4} {line}", flush=True)

    def until(self, *shown: tuple[str, str]) -> None:
        """Wait until the ledger shows that each of these agents did that."""
        begin = os.environ["PLAY_SINCE"]
        self.ledger.events(begin, lambda seen: all(shows(seen, agent, kind) for agent, kind in shown))


class ByMcp(Agent):
    """An agent that calls tools: `interlock mcp` is what `.mcp.json` starts for it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        entry = json.loads(Path(".mcp.json").read_text())["mcpServers"]["interlock"]
        self._server = subprocess.Popen(
            [entry["command"], *entry["args"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._number = 0
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "example", "version": "1"}}
        self._ask("initialize", hello)
        self._send({"method": "notifications/initialized"})

    def call(self, tool: str, **arguments: Any) -> Json:
        """What a tool answers. A refusal is an answer like any other."""
        result = self._ask("tools/call", {"name": tool, "arguments": arguments})
        if result.get("isError"):
            give_up(f"{tool}: {result['content'][0]['text']}")
        answer: Json = result["structuredContent"]
        return answer

    def _ask(self, method: str, params: Json) -> Json:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        assert self._server.stdout is not None
        for line in self._server.stdout:
            message = json.loads(line)
            if message.get("id") == self._number:
                if "error" in message:
                    give_up(f"{method}: {message['error']}")
                found: Json = message["result"]
                return found
        give_up("the bridge ended")

    def _send(self, message: Json) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
        self._server.stdin.flush()

    def leave(self) -> None:
        """Hang up."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()


class Refused(Exception):
    """The guard said no; the text is what the model would read."""


class ByHooks(Agent):
    """An agent that behaves as Claude Code does: calls the hooks of `.claude/settings.json`, and obeys them."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._hooks = json.loads(Path(".claude/settings.json").read_text())["hooks"]
        self._session = SESSIONS[name]

    def hook(self, event: str, **more: Any) -> Json:
        """Call the hooks of one event: what they add to the model's context. Raises Refused."""
        said = {"session_id": self._session, "cwd": os.getcwd(), "hook_event_name": event, "transcript_path": "-"}
        answer: Json = {}
        for entry in self._hooks.get(event, ()):
            for each in entry["hooks"]:
                done = self._run(each["command"], json.dumps(said | more))
                answer = json.loads(done.stdout or "{}").get("hookSpecificOutput", {})
                if done.returncode == 2 or answer.get("permissionDecision") == "deny":
                    raise Refused(answer.get("permissionDecisionReason") or done.stderr.strip())
        return answer

    def write(self, path: str, text: str) -> None:
        """The Write tool: asks, writes, tells."""
        used = {"tool_name": "Write", "tool_input": {"file_path": str(Path(path).resolve()), "content": text}}
        self.hook("PreToolUse", **used)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
        self.hook("PostToolUse", **used, tool_response={"success": True})

    def shell(self, command: str) -> str:
        """The Bash tool."""
        used = {"tool_name": "Bash", "tool_input": {"command": command}}
        self.hook("PreToolUse", **used)
        done = self._run(command)
        if done.returncode:
            give_up(f"{command}: {done.stdout}{done.stderr}")
        self.hook("PostToolUse", **used, tool_response={"stdout": done.stdout})
        return done.stdout.strip()

    def _run(self, command: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command, shell=True, input=given, capture_output=True, text=True, check=False)

    def refused(self, what: str, function: Any, *arguments: str) -> str:
        """Do what must be refused; why it was."""
        try:
            function(*arguments)
        except Refused as refusal:
            why = str(refusal).splitlines()[0]
            self.say(f"{what}: refused. {why}")
            return str(refusal)
        give_up(f"{what} should have been refused")


# --- the two agents ---------------------------------------------------------------------------------------


def ada(*, killed: bool, resumed: bool) -> None:
    """By MCP: sync, claim, edit, commit, release."""
    me = ByMcp("ada")
    found = me.call("sync", agent="ada", thread_id=SESSIONS["ada"], intent="addition for floats")
    if resumed:
        claim = found["claims"][0]
        me.say(f"is back as epoch {found['instance']['epoch']}, and still has {stage.shown(claim)}")
    else:
        claim = me.call("claim", paths=["calculator/add*"], reason="addition for floats")
        if "conflicts" in claim:  # a refusal: who has it, until when, what else is free
            give_up(f"ada: {claim['detail']}")
        me.say(f"has {stage.shown(claim)} by MCP, fence {claim['fence']}")
    me.until(("ben", "claim.queued"))
    if killed:
        me.say("is killed")
        os.kill(os.getpid(), signal.SIGKILL)
    Path(ADD).write_text("def add(a: float, b: float) -> float:\n    return a + b\n")
    git("add", ADD)
    git("commit", "--quiet", "--message", "calculator: Addition for floats.")
    me.say(f"committed {ADD}: " + git("log", "-1", "--format=%(trailers:separator=%x2C )"))
    me.call("release", claim_ids=[claim["id"]])
    me.say("released it")
    me.leave()


def ben() -> None:
    """By hooks and commands, and careless: no thought of claims until one is in the way."""
    me = ByHooks("ben")
    me.hook("SessionStart", source="startup")
    me.refused(f"edits {ADD}", me.write, ADD, "def add(a, b): ...\n")
    me.refused("tries it by the shell", me.shell, f"sed -i 's/int/complex/' {ADD}")
    me.write(MUL, "def mul(a: float, b: float) -> float:\n    return a * b\n")
    me.say(f"edits {MUL}, which nobody has: claimed for it on the spot")
    me.say(f"waits in line: interlock claim {ADD} --wait {PATIENCE}")
    me.shell(f"interlock claim {ADD} --wait {PATIENCE}")
    me.say(f"has {ADD}")
    me.shell("git merge --quiet --ff-only agent/ada")
    me.write(ADD, Path(ADD).read_text() + "\n\ndef increment(a: float) -> float:\n    return add(a, 1)\n")
    me.shell("git add calculator && git commit --quiet --message 'calculator: Multiplication, increment.'")
    me.say("committed: " + git("log", "-1", "--format=%(trailers:separator=%x2C )"))
    me.say(me.shell("interlock verify range main..HEAD").splitlines()[-1])
    me.hook("SessionEnd", reason="exit")


def play(name: str, mode: str) -> None:
    """What the process of one agent runs."""
    if name == "ada":
        ada(killed=mode == "killed", resumed=mode == "resumed")
    else:
        ben()


# --- the stage --------------------------------------------------------------------------------------------


def install(folder: Path, url: str) -> Path:
    """The command, from the platform into an empty environment; where its executables are."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    executables = environment / ("Scripts" if os.name == "nt" else "bin")
    with urllib.request.urlopen(f"{url}/agent/") as answer:
        wheel = answer.url
    pip = [str(executables / "python"), "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check"]
    stage_run([*pip, wheel], at=folder)
    return executables


def stage_run(command: list[str], *, at: Path, given: str = "", path: Path | None = None) -> str:
    """Run a command that has to succeed; what it said."""
    environment = clean(path)
    done = subprocess.run(command, cwd=at, input=given, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        give_up(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def clean(path: Path | None) -> dict[str, str]:
    """This process's environment without its own Interlock or git, and with the command on the path."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("INTERLOCK_", "GIT_", "CLAUDE", "CODEX"))}
    return kept | ({"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else {})


def make_repository(folder: Path, executables: Path, place: Json) -> Path:
    """A small repository, wired by one command; the wiring is committed, the secrets are not in it."""
    repository = folder / "repository"
    (repository / "calculator").mkdir(parents=True)
    (repository / ADD).write_text("def add(a: int, b: int) -> int:\n    return a + b\n")
    git("init", "--quiet", "--initial-branch", "main", at=repository)
    git("config", "user.name", "An agent", at=repository)
    git("config", "user.email", "agent@example.com", at=repository)
    git("add", ".", at=repository)
    git("commit", "--quiet", "--message", "A calculator.", at=repository)
    project = f"{place['team']}/{place['project']}"
    init = [str(executables / "interlock"), "init", "--yes", "--url", place["url"], "--project", project]
    stage_run([*init, "--tool", "claude", "--token", "-"], at=repository, given=place["token"], path=executables)
    git("add", ".", at=repository)
    git("commit", "--quiet", "--no-verify", "--message", "Wire Interlock.", at=repository)
    if place["token"] in git("log", "-p", at=repository):
        give_up("the token is in the repository")
    return repository


def start(name: str, mode: str, repository: Path, place: Json, since: str, path: Path) -> "subprocess.Popen[bytes]":
    """An agent: a worktree on a branch of its own, and a process in it."""
    worktree = repository.with_name(name)
    if not worktree.exists():
        git("worktree", "add", "--quiet", "-b", f"agent/{name}", str(worktree), "main", at=repository)
    told = {f"PLAY_{part.upper()}": place[part] for part in ("url", "team", "project", "token")}
    told |= {"PLAY_SINCE": since, "INTERLOCK_AGENT": name}
    command = [sys.executable, str(Path(__file__).resolve()), "--play", name, "--mode", mode]
    return subprocess.Popen(command, cwd=worktree, env=clean(path) | told)


def run(place: Json, folder: Path, *, kill: bool) -> None:
    """The whole play."""
    ledger = Interlock(place["url"], place["team"], place["project"], place["token"])
    since = ledger.must(200, "GET", "events", limit=1)["last"]
    executables = install(folder, place["url"])
    repository = make_repository(folder, executables, place)
    print("A repository wired by `interlock init`, and two agents:\n", flush=True)
    with contextlib.ExitStack() as stack:

        def begin(name: str, mode: str = "") -> "subprocess.Popen[bytes]":
            return stack.enter_context(stage.ended(start(name, mode, repository, place, since, executables)))

        first = begin("ada", "killed" if kill else "")
        ledger.events(since, lambda seen: shows(seen, "ada", "claim.granted", "claim.denied"))
        second = begin("ben")
        if kill:
            if first.wait(2 * PATIENCE) != -signal.SIGKILL:
                give_up("ada was not killed")
            first = begin("ada", "resumed")
        for name, process in (("ada", first), ("ben", second)):
            if process.wait(2 * PATIENCE):
                give_up(f"{name} did not get through")
    base = git("rev-parse", "main", at=repository)
    for name in SESSIONS:
        git("merge", "--quiet", "--no-edit", f"agent/{name}", at=repository)
    verify = [str(executables / "interlock"), "verify", "range", f"{base}..main"]
    print(f"\nMerged into main. {' '.join(verify[1:3])}: " + stage_run(verify, at=repository).splitlines()[-1])


def main() -> None:
    """Read the options and play."""
    parser = argparse.ArgumentParser(description="Two agents of different makes in one wired repository.")
    for name in ("url", "team", "project", "token"):
        parser.add_argument(f"--{name}", default=os.environ.get(f"INTERLOCK_{name.upper()}"))
    data = Path(os.environ.get("INTERLOCK_DATA_DIR") or stage.ROOT / ".interlock-data")
    parser.add_argument("--data", type=Path, default=data, help="where `manage.py up` keeps its data")
    parser.add_argument("--start", action="store_true", help="start a temporary platform for this")
    parser.add_argument("--kill", action="store_true", help="kill ada while she holds ground, and resume her")
    parser.add_argument("--play", choices=SESSIONS, help=argparse.SUPPRESS)
    parser.add_argument("--mode", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        play(options.play, options.mode)
        return
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(stage.started()) if options.start else stage.running(options)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="guarded-agents-"))
        run(place, Path(folder), kill=options.kill)
    print("Everything held.")


if __name__ == "__main__":
    main()

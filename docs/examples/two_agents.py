#!/usr/bin/env python3
"""Two agents want the same file, a third wants whatever is free: the protocol of Interlock, played for real.

    python3 docs/examples/two_agents.py --start        # with a platform of its own, gone afterwards
    python3 docs/examples/two_agents.py                # with the one that `python3 manage.py up` runs here

It needs Python 3.11 and git: whatever speaks HTTP can be an agent. It makes a git repository, gives each agent
a process and a worktree, lets them coordinate over REST, merges their branches, and tells what happened, from the
ledger. Exit code 0 says that everything held: no file ever had two holders, fences rose, three commits were merged.

Read it from `ada`, `ben` and `cleo` on: what an agent does is there, one call after the other.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
MODES = "coordination/engine/modes.py"
LEASE = "coordination/engine/lease.py"
ERRORS = "coordination/engine/errors.py"
TEST = "tests/engine/test_queue.py"
PATIENCE = 60  # seconds that anybody here waits for anything

Json = dict[str, Any]


class Interlock:
    """The whole client: one project, one token, and the run that acts."""

    def __init__(self, url: str, team: str, project: str, token: str) -> None:
        self.base = f"{url.rstrip('/')}/api/v1/teams/{team}/projects/{project}"
        self.token = token
        self.instance = ""

    def call(self, method: str, path: str, body: Json | None = None, **query: Any) -> tuple[int, Json]:
        """One request: (status, JSON). A refusal is an answer like any other, and says what can be done."""
        address = f"{self.base}/{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        request = urllib.request.Request(address, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if self.instance:
            request.add_header("Interlock-Instance", self.instance)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE + 30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)
        except urllib.error.URLError as error:
            give_up(f"{self.base} cannot be reached: {error.reason}")

    def must(self, expected: int, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
        """The answer to a call that has to go this way here."""
        status, answer = self.call(method, path, body, **query)
        if status != expected:
            give_up(f"{method} {path}: {expected} expected, got {status}: {answer.get('detail', answer)}")
        return answer

    def events(self, after: str, wanted: Callable[[list[Json]], bool]) -> list[Json]:
        """The ledger after a cursor, up to the moment when it shows what is wanted. Waits, never polls."""
        seen: list[Json] = []
        while not wanted(seen):
            page = self.must(200, "GET", "events", after=after, limit=200, wait_seconds=PATIENCE)
            if not page["items"]:
                give_up(f"nothing new in the ledger for {PATIENCE} seconds")
            seen += page["items"]
            after = page["cursor"]
        return seen


class Agent:
    """One run of an agent, in a worktree of its own."""

    def __init__(self, name: str, interlock: Interlock) -> None:
        self.name = name
        self.interlock = interlock
        self.branch = f"agent/{name}"
        # Register the run. Its handle says from now on who acts: it goes along with every call.
        self.run = interlock.must(201, "POST", "instances", {"agent": name, "tool": "example", "branch": self.branch})
        interlock.instance = self.run["handle"]

    def say(self, line: str) -> None:
        """Tell whoever watches."""
        print(f"  {self.name:<5} {line}", flush=True)

    def claim(self, **wanted: Any) -> Json:
        """Ask for ground, all or nothing. The answer is the claim: what is held, until when, under which fence."""
        return self.interlock.must(201, "POST", "claims", wanted)

    def edit(self, path: str, text: str) -> None:
        """Write at the end of a file, where two who do so at once get a merge conflict."""
        with Path(path).open("a") as file:
            file.write(text)

    def commit(self, claim: Json, path: str, message: str) -> None:
        """Commit one file, having asked whether the claim still covers it; the trailers keep who and which fence."""
        found = self.interlock.must(200, "POST", "verify", {"changes": [{"path": path}]})
        if found["verdict"] != "pass":
            give_up(f"{self.name} changed what it does not hold: {found['findings']}")
        trailers = f"Agent: {self.name}\nAgent-Instance: {self.run['id']}\nAgent-Fence: {claim['fence']}"
        git("commit", "--quiet", "--message", f"{message}\n\n{trailers}", path)
        self.say(f"committed {path} under fence {claim['fence']}")

    def release(self, claim: Json) -> None:
        """Give the ground back; whoever is next in line has it before this returns, or a moment later."""
        self.interlock.must(200, "DELETE", f"claims/{claim['id']}", fence=claim["fence"])
        self.say(f"released {shown(claim)}")


# --- the three agents -------------------------------------------------------------------------------------


def ada(me: Agent) -> None:
    """The first one: claim, edit, commit, release."""
    claim = me.claim(paths=[MODES, LEASE], reason="name the strictest mode")
    me.say(f"has {shown(claim)} until {claim['expires_at'][11:19]} UTC, fence {claim['fence']}")
    # Real work takes its time. This one lasts until the others have come, so that there is something to see.
    me.interlock.events(me.run["cursor"], lambda seen: shows(seen, "ben", "claim.queued"))
    me.interlock.events(me.run["cursor"], lambda seen: shows(seen, "cleo", "claim.granted"))
    me.edit(MODES, "\n\nSTRICTEST = Mode.EXCLUSIVE\n")
    me.commit(claim, MODES, "engine: Name the strictest mode.")
    me.release(claim)


def ben(me: Agent) -> None:
    """The second one: wants a file that ada has, stands in line for it, and is woken when she is done."""
    wanted = [MODES, TEST]
    verdict = me.interlock.must(200, "POST", "claims/check", {"paths": wanted})
    met = verdict["conflicts"][0]
    me.say(f"wants {MODES}: {met['holder']['agent']} has it ({met['reason']}), on branch {met['branch']}")
    # The request is held open until there is an answer: no polling, and nobody who comes later barges in.
    claim = me.claim(paths=wanted, reason="name the mildest mode", wait_seconds=PATIENCE)
    me.say(f"was woken and has {shown(claim)}, fence {claim['fence']} (ada's was {met['fence']})")
    if claim["fence"] <= met["fence"]:
        give_up("the later grant has no later fence")
    # The ground is ben's now; what ada did to it is on her branch. Begin from there, not from before.
    git("merge", "--quiet", "--ff-only", met["branch"])
    me.edit(MODES, "MILDEST = Mode.ADVISORY\n")
    me.commit(claim, MODES, "engine: Name the mildest mode.")
    me.release(claim)


def cleo(me: Agent) -> None:
    """The third one: would take the whole directory, and takes what is free of it."""
    verdict = me.interlock.must(200, "POST", "claims/check", {"paths": ["coordination/engine/**"]})
    # `narrow_to` is what was wanted less what others hold: scopes to be claimed as they are.
    claim = me.claim(scopes=verdict["narrow_to"], reason="say what errors are for")
    me.say(f"wanted coordination/engine/** and has {shown(claim)}, fence {claim['fence']}")
    me.edit(ERRORS, "\n\n# Raised for the caller's mistakes only; a refused claim is a result.\n")
    me.commit(claim, ERRORS, "engine: Say what errors are for.")
    me.release(claim)


AGENTS: dict[str, Callable[[Agent], None]] = {"ada": ada, "ben": ben, "cleo": cleo}


def play(name: str) -> None:
    """What the process of one agent runs: take part, then leave, which gives back whatever is still held."""
    interlock = Interlock(*(os.environ[f"INTERLOCK_{part}"] for part in ("URL", "TEAM", "PROJECT", "TOKEN")))
    agent = Agent(name, interlock)
    try:
        AGENTS[name](agent)
    finally:
        interlock.call("DELETE", f"instances/{agent.run['id']}")


# --- the stage: repository, worktrees, processes ----------------------------------------------------------


def git(*arguments: str, at: Path | None = None) -> str:
    """Run git, as nobody in particular and free of this machine's settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    clean |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "user.name=An agent", "-c", "user.email=agent@example.com", *arguments]
    done = subprocess.run(command, cwd=at, env=clean, capture_output=True, text=True, check=False)
    if done.returncode:
        give_up(f"git {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def make_repository(folder: Path) -> Path:
    """A repository of real source files, Interlock's own engine and its tests, with one commit on main."""
    repository = folder / "repository"
    for part in ("coordination/engine", "tests/engine"):
        shutil.copytree(ROOT / part, repository / part, ignore=shutil.ignore_patterns("__pycache__"))
    git("init", "--quiet", "--initial-branch", "main", at=repository)
    git("add", ".", at=repository)
    git("commit", "--quiet", "--message", "The engine.", at=repository)
    return repository


def start(name: str, repository: Path, place: Json) -> "subprocess.Popen[bytes]":
    """An agent: a worktree on a branch of its own, and a process in it. The token is not on its command line."""
    worktree = repository.with_name(name)
    git("worktree", "add", "--quiet", "-b", f"agent/{name}", str(worktree), "main", at=repository)
    told = {f"INTERLOCK_{part.upper()}": place[part] for part in ("url", "team", "project", "token")}
    command = [sys.executable, str(Path(__file__).resolve()), "--play", name]
    return subprocess.Popen(command, cwd=worktree, env=os.environ | told)


def run(place: Json, folder: Path) -> None:
    """The whole play, from an empty directory to three merged commits."""
    interlock = Interlock(place["url"], place["team"], place["project"], place["token"])
    before = interlock.must(200, "GET", "events", limit=1)["last"]
    repository = make_repository(folder)
    files = git("ls-files", at=repository).splitlines()
    print(f"A repository of {len(files)} files on branch main, and three agents:\n")
    with contextlib.ExitStack() as stack:
        processes = {"ada": stack.enter_context(ended(start("ada", repository, place)))}
        # The others come once ada has what she wants, or has had to leave without.
        interlock.events(before, lambda seen: shows(seen, "ada", "claim.granted", "instance.ended"))
        for name in ("ben", "cleo"):
            processes[name] = stack.enter_context(ended(start(name, repository, place)))
        for name, process in processes.items():
            if process.wait(2 * PATIENCE):
                give_up(f"{name} did not get through")
    merge(repository)
    story = interlock.events(before, lambda seen: all(shows(seen, name, "instance.ended") for name in AGENTS))
    runs = {e["subject"]["id"] for e in story if e["type"] == "instance.registered" and e["data"]["agent"] in AGENTS}
    story = [event for event in story if event["actor"]["instance"] in runs]
    granted = [event["subject"]["id"] for event in story if event["type"] == "claim.granted"]
    claims = {claim: interlock.must(200, "GET", f"claims/{claim}") for claim in granted}
    tell(story, claims)
    check_holders(story, claims, files)
    check_fences(list(claims.values()))


@contextlib.contextmanager
def ended(process: "subprocess.Popen[bytes]") -> "Iterator[subprocess.Popen[bytes]]":
    """Nobody is left behind, however this ends."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def merge(repository: Path) -> None:
    """Bring the branches home. `git merge` fails at a conflict, so getting through is the proof."""
    for name in AGENTS:
        git("merge", "--quiet", "--no-edit", f"agent/{name}", at=repository)
    commits = git("log", "--no-merges", "--format=%s", "main", at=repository).splitlines()
    if len(commits) != 1 + len(AGENTS):
        give_up(f"three commits should have come home, not {commits[:-1]}")
    if not (repository / MODES).read_text().endswith("STRICTEST = Mode.EXCLUSIVE\nMILDEST = Mode.ADVISORY\n"):
        give_up(f"{MODES} does not hold what both wrote")
    print(f"\nMerged into main without a conflict: {len(AGENTS)} commits.")


# --- the story, and whether it held -----------------------------------------------------------------------


def shows(events: list[Json], agent: str, *kinds: str) -> bool:
    """Whether some event is of such a type and about that agent."""
    return any(event["type"] in kinds and event["data"].get("agent") == agent for event in events)


def shown(claim: Json) -> str:
    """A claim's ground in short."""
    scopes = []
    for scope in claim["scopes"]:
        excepts = [taken["pattern"].rpartition("/")[2] for taken in scope["except"]]
        scopes.append(scope["pattern"] + (f" (not {', '.join(excepts)})" if excepts else ""))
    return ", ".join(scopes)


def tell(story: list[Json], claims: dict[str, Json]) -> None:
    """The ledger's own words: when, who, what, by which fence."""
    print("\nWhat the ledger tells:\n")
    for event in story:
        said = event["data"]
        claim = claims.get(event["subject"]["id"])
        more = []
        if claim:
            more.append(f"fence {claim['fence']}")
            if event["type"] == "claim.granted":
                more.append(shown(claim))
        if "waited_s" in said:
            more.append(f"after {said['waited_s']:.2f} s in line")
        if "blocked_by" in said:
            blockers = [claims[blocker] for blocker in said["blocked_by"] if blocker in claims]
            more.append(f"behind {', '.join(b['holder']['agent'] for b in blockers)}")
        print(f"  {event['at'][11:23]}  {said['agent']:<5} {event['type']:<20} {', '.join(more)}".rstrip())


def check_holders(story: list[Json], claims: dict[str, Json], files: list[str]) -> None:
    """Play the ledger back, file by file: no file may ever have two holders."""
    holders: dict[str, str] = {}
    for event in story:
        subject = event["subject"]["id"]
        if event["type"] == "claim.granted":
            for path in (path for path in files if covers(claims[subject], path)):
                if path in holders:
                    give_up(f"{path} had two holders: {holders[path]} and {subject}")
                holders[path] = subject
        elif event["type"] == "claim.released":
            holders = {path: claim for path, claim in holders.items() if claim != subject}
    if holders:
        give_up(f"these were never released: {sorted(set(holders.values()))}")
    print("\nNo file ever had two holders.")


def covers(claim: Json, path: str) -> bool:
    """Whether a claim covers a path: as much of the pattern language as this example uses."""

    def matches(pattern: str) -> bool:
        return path.startswith(pattern.removesuffix("**")) if pattern.endswith("/**") else path == pattern

    return any(
        matches(scope["pattern"]) and not any(matches(taken["pattern"]) for taken in scope["except"])
        for scope in claim["scopes"]
    )


def check_fences(claims: list[Json]) -> None:
    """Fences rise in the order of the grants."""
    fences = [claim["fence"] for claim in claims]
    if len(fences) != len(AGENTS) or fences != sorted(set(fences)):
        give_up(f"fences should rise with every grant: {fences}")
    print(f"Fences rose with every grant: {', '.join(map(str, fences))}.")


# --- where the platform is --------------------------------------------------------------------------------


def give_up(why: str) -> NoReturn:
    """It did not hold, and that is what this is for."""
    sys.exit(f"two_agents: {why}")


@contextlib.contextmanager
def started() -> Iterator[Json]:
    """A platform of one's own on a free port and a temporary directory: the same one command as anywhere."""
    with tempfile.TemporaryDirectory(prefix="interlock-") as data:
        command = [sys.executable, str(ROOT / "manage.py"), "up", "--port", "0", "--data", data, "--json"]
        print("Starting a platform …", flush=True)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                give_up("the platform did not start; what it says is above")
            told = json.loads(line)
            yield told | {"token": told["agent_token"]}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def running(options: argparse.Namespace) -> Json:
    """A platform that runs already: from the options, else from what `manage.py up` keeps in its data directory."""
    found: Json = {}
    path = options.data / "credentials.json"
    if not (options.url and options.token):
        try:
            found = json.loads(path.read_text())
        except OSError:
            give_up(f"no {path}: start `python3 manage.py up` first, say --url and --token, or use --start")
    told = {"team": "demo", "project": "main"} | found | {"token": found.get("agent_token")}
    return {name: getattr(options, name) or told[name] for name in ("url", "team", "project", "token")}


def main() -> None:
    """Read the options and play."""
    parser = argparse.ArgumentParser(description="Agents that share a repository without getting in each other's way.")
    for name in ("url", "team", "project", "token"):
        known = os.environ.get(f"INTERLOCK_{name.upper()}")
        parser.add_argument(f"--{name}", default=known, help=f"or INTERLOCK_{name.upper()}")
    data = Path(os.environ.get("INTERLOCK_DATA_DIR") or ROOT / ".interlock-data")
    parser.add_argument("--data", type=Path, default=data, help="where `manage.py up` keeps its data")
    parser.add_argument("--start", action="store_true", help="start a temporary platform for this")
    parser.add_argument("--play", choices=AGENTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        play(options.play)
        return
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(started()) if options.start else running(options)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="two-agents-"))
        run(place, Path(folder))
    print("Everything held.")


if __name__ == "__main__":
    main()

"""Load that keeps an account: what was acknowledged to whom, over HTTP, whatever dies meanwhile."""

import secrets
import threading
from typing import Any

import httpx

# What a client does about a server that is away: send the same request again, under the same idempotency key.
_AGAIN = (502, 503)


class Agent:
    """One run of an agent that never gives up on a request."""

    def __init__(self, told: dict[str, Any], name: str) -> None:
        self._base = f"/api/v1/teams/{told['team']}/projects/{told['project']}"
        headers = {"Authorization": f"Bearer {told['agent_token']}"}
        self.client = httpx.Client(base_url=told["url"], headers=headers, timeout=40)
        self.failures = 0
        handle = self.ask("POST", "/instances", {"agent": name}).json()["handle"]
        self.client.headers["Interlock-Instance"] = handle

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """The answer to a request, sent until there is one."""
        headers = {"Idempotency-Key": secrets.token_hex(12)} if method == "POST" else {}
        while True:
            try:
                answer = self.client.request(method, self._base + path, json=body, headers=headers)
            except httpx.TransportError:
                self._pause()
                continue
            in_flight = answer.status_code == 409 and answer.json()["code"] == "idempotency_in_flight"
            if answer.status_code not in _AGAIN and not in_flight:
                assert answer.status_code < 500, answer.text
                return answer
            self._pause()

    def claim(self, path: str, **terms: Any) -> httpx.Response:
        """Ask for a path."""
        return self.ask("POST", "/claims", {"paths": [path], **terms})

    def release(self, claim_id: str) -> None:
        """Give a claim back."""
        answer = self.ask("DELETE", f"/claims/{claim_id}")
        assert answer.status_code == 200, answer.text

    def close(self) -> None:
        """Close its connections."""
        self.client.close()

    def _pause(self) -> None:
        self.failures += 1
        threading.Event().wait(0.05)


class Account:
    """What several threads were told, for the reckoning afterwards."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.kept: dict[str, str] = {}  # claim -> path, acknowledged and never released
        self.answers = 0
        self.cursors: list[int] = []
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._agents: dict[threading.Thread, list[Agent]] = {}

    def agent(self, name: str) -> Agent:
        """A run whose connections are closed when its thread ends."""
        made = Agent(self.told, name)
        self._agents.setdefault(threading.current_thread(), []).append(made)
        return made

    def start(self, name: str, work: Any, *arguments: Any) -> threading.Thread:
        """Run some work until the end; what it raises is told at the end."""

        def run() -> None:
            try:
                work(*arguments)
            except BaseException as error:
                self.errors.append(error)
            finally:
                for agent in self._agents.pop(threading.current_thread(), ()):
                    agent.close()

        thread = threading.Thread(target=run, name=name)
        self._threads.append(thread)
        thread.start()
        return thread

    def work(self, number: int) -> None:
        """Claim own paths and fought-over ones; keep every third own one for good, give the rest back."""
        agent = self.agent(f"worker-{number}")
        turn = 0
        while not self._stop.is_set():
            turn += 1
            path = f"own/{number}/{turn}.py"
            granted = agent.claim(path)
            assert granted.status_code == 201, granted.text
            if turn % 3 == 0:
                self.kept[granted.json()["id"]] = path
            else:
                agent.release(granted.json()["id"])
            fought = agent.claim(f"fought/{turn % 3}.py")
            if fought.status_code == 201:
                agent.release(fought.json()["id"])
            self.answers += 1

    def read(self) -> None:
        """Follow the ledger from its beginning, by its cursor."""
        agent = self.agent("reader")
        cursor = 0
        while True:
            stopping = self._stop.is_set()
            page = agent.ask("GET", f"/events?after={cursor}&limit=200&wait_seconds=1").json()
            self.cursors += [int(event["cursor"]) for event in page["items"]]
            cursor = int(page["cursor"])
            if stopping and not page["items"]:
                return

    def stop(self) -> None:
        """End the work, and raise what went wrong in it."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), f"{thread.name} does not end"
        if self.errors:
            raise self.errors[0]

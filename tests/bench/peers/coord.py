"""coord-mcp-server 0.49: the claim server that does most of what we do. As shipped, started as its own command does.

Twice: on SQLite, its default, in its one process; and on PostgreSQL (its extra, on the same embedded server as ours)
with two worker processes. The better figure is the one to beat.
"""

import asyncio
import http.client
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from deploy.embedded.process import free_port
from tests.bench.client import Connection, headers, request
from tests.bench.context import WARM_S, Bench, say
from tests.bench.measure import Bar, Cpu, Result, Row, per_request, spread
from tests.bench.scenarios import cycles

_PACKAGE = "coord-mcp-server[postgres]==0.49.0"
_AGENTS = 64
_HELD = (0, 1000, 10_000)
_REPO = "acme/app"
_TIMES = 10
_INSTALL_S, _START_S = 300, 60


class Missing(RuntimeError):
    """It cannot be had, or does not start; the text says why."""


class Server:
    """One running coord in a directory of its own. A context."""

    def __init__(self, python: Path, folder: Path, *, database: str | None = None, workers: int = 1) -> None:
        self.port = free_port()
        self.token = secrets.token_hex(16)
        self.database = folder / "coordination.db"
        self._log = folder / f"coord-{self.port}.log"
        store = {"COORD_DATABASE_URL": database} if database else {"COORD_DATABASE_PATH": str(self.database)}
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith(("COORD_", "DATABASE"))}
        self._environment |= store | {
            "COORD_AUTH_TOKEN": self.token,
            "COORD_HOST": "127.0.0.1",
            "COORD_PORT": str(self.port),
        }
        self._command = [str(python), "-c", "from coordination.main import run; run()"]
        if workers > 1:
            listen = ["--host", "127.0.0.1", "--port", str(self.port), "--no-access-log"]
            self._command = [str(python), "-m", "uvicorn", "coordination.main:app", "--workers", str(workers), *listen]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Server":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise Missing(f"it does not start: {self._log.read_text(errors='replace')[-600:]}")
            time.sleep(0.1)
        return self

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu(self) -> Cpu:
        """Looks at what it uses; counted as ``web``."""
        assert self._process is not None
        return Cpu(self._process.pid, ours=False)

    def hold(self, pattern: str, count: int) -> None:
        """Copy the claim on ``pattern`` that many times, each on a file of its own, straight into its SQLite file:
        by its API that would take hours.
        """
        with sqlite3.connect(self.database, timeout=30) as database:
            database.row_factory = sqlite3.Row
            row = dict(database.execute("SELECT * FROM claims WHERE pattern = ?", [pattern]).fetchone())
            names = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            database.executemany(
                f"INSERT INTO claims ({names}) VALUES ({marks})",
                (
                    row | {"id": str(uuid.uuid4()), "pattern": f"seeded/d{n // 100:05d}/f{n:07d}.py"}
                    for n in range(count)
                ),
            )


class Client:
    """One engineer with a keep-alive connection."""

    def __init__(self, server: Server, name: str, connection: Connection) -> None:
        self.name = name
        self.times: list[float] = []
        self.errors = 0
        self._count = 0
        self._connection = connection
        self._headers = headers(host="127.0.0.1", authorization=f"Bearer {server.token}")

    @classmethod
    async def open(cls, server: Server, name: str) -> "Client":
        """Connect."""
        return cls(server, name, await Connection.open("127.0.0.1", server.port))

    async def claim(self, pattern: str) -> str | None:
        """Claim one file; its id, or None where it was refused."""
        body = {"engineer": self.name, "repo": _REPO, "claims": [{"type": "file", "pattern": pattern}]}
        started = time.perf_counter()
        answer = await self._connection.ask(request("POST", "/claims", self._headers, body))
        self.times.append(time.perf_counter() - started)
        if answer.status != 200:
            self.errors += 1
            return None
        return str(answer.json()["claim_ids"][0])

    async def release(self, claim_id: str) -> None:
        """Give it back."""
        path = f"/claims/{claim_id}?engineer={quote(self.name)}"
        started = time.perf_counter()
        answer = await self._connection.ask(request("DELETE", path, self._headers))
        self.times.append(time.perf_counter() - started)
        self.errors += answer.status != 200

    async def check(self, pattern: str) -> float:
        """Would it be free? What that took."""
        path = f"/conflicts?engineer={quote(self.name)}&repo={quote(_REPO)}&pattern={quote(pattern)}"
        started = time.perf_counter()
        answer = await self._connection.ask(request("GET", path, self._headers))
        self.errors += answer.status != 200
        return time.perf_counter() - started

    async def cycle(self) -> None:
        """What our own agents do in ``cycles``."""
        self._count += 1
        held = await self.claim(f"src/{self.name}/module/file{self._count % 50}.py")
        if held is not None:
            await self.release(held)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


async def _keep_cycling(clients: Sequence[Client], seconds: float) -> float:
    started = time.perf_counter()

    async def work(client: Client) -> None:
        while time.perf_counter() - started < seconds:
            await client.cycle()

    await asyncio.gather(*(work(client) for client in clients))
    return time.perf_counter() - started


async def _cycles(server: Server, seconds: float) -> dict[str, float]:
    clients = [await Client.open(server, f"agent-{number}") for number in range(_AGENTS)]
    await _keep_cycling(clients, WARM_S)
    for client in clients:
        client.times.clear()
    cpu = server.cpu()
    before = cpu.read()
    took = await _keep_cycling(clients, seconds)
    after = cpu.read()
    times = [one for client in clients for one in client.times]
    for client in clients:
        client.close()
    return {
        "cycles_s": round(len(times) / 2 / took, 1),
        "requests_s": round(len(times) / took, 1),
        **spread(times),
        **per_request(before, after, len(times)),
        "errors": sum(client.errors for client in clients),
    }


async def _held(server: Server, rounds: int, result: Result) -> None:
    holder = await Client.open(server, "holder")
    asker = await Client.open(server, "asker")
    curve: list[tuple[float, float]] = []
    await holder.claim("seeded/first.py")
    written = 0
    for held in _HELD:
        if held > written:
            await asyncio.to_thread(server.hold, "seeded/first.py", held - written)
            written = held
        times = [await asker.check(f"seeded/d00000/new{number}.py") for number in range(rounds)]
        figures = spread(times[2:])
        curve.append((held, figures["p50_ms"]))
        result.rows.append(Row("peer", f"coord, check a file, {held:,} held", figures | {"errors": asker.errors}))
    result.curves["coord 0.49: check a file"] = curve
    holder.close()
    asker.close()


def _install(folder: Path) -> Path:
    python = folder / "venv/bin/python"
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, capture_output=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _PACKAGE]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S)
    except (subprocess.SubprocessError, OSError) as error:
        raise Missing(f"{_PACKAGE} cannot be installed: {getattr(error, 'stderr', None) or error}") from None
    return python


def _database(bench: Bench) -> str:
    """An empty database for it on our embedded server."""
    import psycopg  # after the environment

    url = bench.platform.superuser_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE coord")
    return url.rpartition("/")[0] + "/coord"


async def run(bench: Bench) -> Result:
    """Its cycles and checks, then ours once more in the same minute, and the ratio to its best."""
    folder = Path(tempfile.mkdtemp(prefix="interlock-bench-peer-"))
    result = Result()
    try:
        say("  installing coord-mcp-server into a temporary environment")
        python = await asyncio.to_thread(_install, folder)
        with Server(python, folder) as server:
            on_sqlite = await _cycles(server, bench.seconds)
            result.rows.append(Row("peer", f"coord, SQLite, {_AGENTS} agents", on_sqlite))
            await _held(server, 12 if bench.quick else 40, result)
        with Server(python, folder, database=_database(bench), workers=2) as server:
            on_postgres = await _cycles(server, bench.seconds)
            result.rows.append(Row("peer", f"coord, PostgreSQL, 2 workers, {_AGENTS} agents", on_postgres))
    except Missing as error:
        say(f"  PEER NOT MEASURED: {error}")
        result.bars.append(Bar("claim + release against coord 0.49", f">= {_TIMES}x", "not measured", None))
        return result
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ours = await cycles.measure(bench, bench.team(), _AGENTS)
    result.rows.append(Row("peer", f"ours, {_AGENTS} agents", ours))
    ratio = ours["cycles_s"] / max(on_sqlite["cycles_s"], on_postgres["cycles_s"])
    result.bars.append(
        Bar("claim + release against coord 0.49's best", f">= {_TIMES}x", f"{ratio:.1f}x", ratio >= _TIMES)
    )
    return result

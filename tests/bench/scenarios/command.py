"""How long `interlock` takes from the shell, as its hooks are called: a process each time, the wheel in a bare
environment, a real repository.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from tests.bench.context import Bench, say
from tests.bench.measure import Bar, Result, Row, spread

_ROUNDS = 40
_LIMIT_MS = 100


def _run(command: list[str], *, cwd: Path, given: str = "", check: bool = True) -> tuple[float, str]:
    """Milliseconds as seconds, and what it said."""
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    started = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, input=given, capture_output=True, text=True, env=environment, check=False)
    took = time.perf_counter() - started
    if check and done.returncode not in (0, 2):
        raise RuntimeError(f"{' '.join(command)}: {done.returncode} {done.stderr[-500:]}")
    return took, done.stdout


def _payload(repository: Path, event: str, path: str = "") -> str:
    said: dict[str, object] = {
        "session_id": "bench",
        "transcript_path": "/dev/null",
        "cwd": str(repository),
        "hook_event_name": event,
    }
    if path:
        said |= {"tool_name": "Write", "tool_input": {"file_path": str(repository / path), "content": "x"}}
    return json.dumps(said)


def _wired(folder: Path, bench: Bench, url: str) -> tuple[Path, str, Path]:
    """A repository, the installed command, and the Python it runs on."""
    import httpx  # after the environment

    from tests.making import make_place

    place = make_place()
    repository = folder / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
    (repository / ".interlock").mkdir()
    settings = {"URL": url, "TOKEN": place.token(), "PROJECT": f"{place.slug}/{place.project}", "AGENT": "bench"}
    local = repository / ".interlock/local.env"
    local.write_text("".join(f"INTERLOCK_{name}={value}\n" for name, value in settings.items()))
    local.chmod(0o600)
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    found = httpx.get(f"{url}/agent/", follow_redirects=True)
    wheel = folder / found.url.path.rsplit("/", 1)[1]
    wheel.write_bytes(found.content)
    python = environment / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    return repository, str(environment / "bin/interlock"), python


def _measure(bench: Bench, url: str) -> Result:
    result = Result()
    rounds = 15 if bench.quick else _ROUNDS
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as temporary:
        repository, interlock, python = _wired(Path(temporary), bench, url)
        hook = [interlock, "hook", "claude-code"]
        _run(hook, cwd=repository, given=_payload(repository, "SessionStart"))
        _run(hook, cwd=repository, given=_payload(repository, "PreToolUse", "src/known.py"))
        cases: dict[str, tuple[list[str], list[str]]] = {
            "Python itself": ([str(python), "-c", "pass"], [""]),
            "interlock --version": ([interlock, "--version"], [""]),
            "a hook, path known to be covered": (hook, [_payload(repository, "PreToolUse", "src/known.py")]),
            "a hook, first touch of a file": (
                hook,
                [_payload(repository, "PreToolUse", f"src/new{n}.py") for n in range(rounds)],
            ),
        }
        figures = {}
        for case, (command, given) in cases.items():
            took = []
            for number in range(rounds):
                if number == rounds // 2 and "known" in case:  # what is remembered is remembered for seconds
                    _run(hook, cwd=repository, given=given[0])
                took.append(_run(command, cwd=repository, given=given[number % len(given)])[0])
            figures[case] = spread(took)
            result.rows.append(Row("command", case, figures[case]))
            say(f"command: {case}: {figures[case]}")
    own = figures["a hook, path known to be covered"]["p50_ms"]
    result.bars.append(Bar("`interlock` as a hook, start-up, p50", f"< {_LIMIT_MS} ms", f"{own} ms", own < _LIMIT_MS))
    return result


async def run(bench: Bench) -> Result:
    """The bare interpreter for comparison, then the hook with and without a question to the server."""
    host, port = bench.platform.address
    return await asyncio.to_thread(_measure, bench, f"http://{host}:{port}")

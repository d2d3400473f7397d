"""Small helpers for looking after server processes: ports, process ids, logs, secrets, stopping."""

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

Say = Callable[[str], None]
"""Takes one line of progress for people."""

LOG_LIMIT = 5 * 1024 * 1024  # bytes; checked when the process starts
LOG_KEEP = 3
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ServiceError(RuntimeError):
    """A service could not be started; the text says why and what to do."""


class Stopped(Exception):
    """Somebody asked for a stop while a service was still starting."""


def quiet(line: str) -> None:
    """A :data:`Say` that says nothing."""


def never() -> None:
    """The default ``check`` of the waits here: nobody ever asks to stop."""


def free_port(preferred: int | None = None) -> int:
    """A TCP port nobody listens on at 127.0.0.1: the preferred one when it is free."""
    # Below the usual ephemeral range: a service must get its port back after a crash, and a port that the
    # kernel hands to outgoing connections may be taken by then.
    candidates = [preferred] if preferred else []
    candidates += [20000 + secrets.randbelow(12000) for _ in range(50)]
    for port in candidates:
        with socket.socket() as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise ServiceError("no free TCP port between 20000 and 32000 on 127.0.0.1: stop something that listens there")


def remembered_port(path: Path) -> int:
    """The port used last time when it is still free, else another one; remembered in ``path``."""
    try:
        last = int(path.read_text())
    except (OSError, ValueError):
        last = None
    port = free_port(last)
    if port != last:
        path.write_text(f"{port}\n")
    return port


def secret_file(path: Path, make: Callable[[], str]) -> str:
    """The text in ``path``; made, and readable by its owner only, when there is none yet."""
    try:
        return path.read_text()
    except FileNotFoundError:
        text = make()
        write_secret(path, text)
        return text


def write_secret(path: Path, text: str) -> None:
    """Writes ``text`` to ``path`` with mode 0600, whole or not at all."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def open_log(path: Path) -> int:
    """Opens a log for appending and returns its descriptor; one that grew too big is set aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        for number in range(LOG_KEEP - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        path.replace(path.with_name(f"{path.name}.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, indented for a message; a note when there is nothing."""
    try:
        found = path.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        found = []
    return "\n".join(f"    {line}" for line in found) or "    (the log is empty)"


def command_line(pid: int) -> list[str]:
    """The arguments of a running process; empty when there is none, or when it is dead and not yet reaped."""
    if sys.platform == "linux":
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return []
        return [part.decode(errors="replace") for part in raw.split(b"\0") if part]
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return [] if "<defunct>" in shown.stdout else shown.stdout.split()


def working_directory(pid: int) -> Path | None:
    """Where a process works, as far as this system tells."""
    with contextlib.suppress(OSError):
        return Path(os.readlink(f"/proc/{pid}/cwd"))
    return None


def is_server(pid: int, program: str, directory: Path) -> bool:
    """Whether ``pid`` is a live ``program`` working on ``directory``, and not just a reused number."""
    arguments = command_line(pid)
    if not arguments or not Path(arguments[0]).name.startswith(program):
        return False
    return any(str(directory) in part for part in arguments) or working_directory(pid) == directory


def read_pid(path: Path) -> int | None:
    """The process id on the first line of a pid file."""
    try:
        return int(path.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def wait_until(done: Callable[[], bool], timeout: float, check: Callable[[], None] = never) -> bool:
    """Waits up to ``timeout`` seconds for ``done``; ``check`` may raise to give up earlier."""
    deadline = time.monotonic() + timeout
    pause = 0.005
    while not done():
        check()
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return True


def stop_orphan(pid: int, signals: Iterable[tuple[int, float]], still_there: Callable[[], bool]) -> None:
    """Stops a process that is not our child: each signal in turn, with seconds to wait after each.

    Raises ServiceError when it is not ours to stop or outlives the last signal.
    """
    for number, seconds in signals:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        except PermissionError:
            raise ServiceError(
                f"process {pid} still uses the data and belongs to another user: stop it, or start as that user"
            ) from None
        if wait_until(lambda: not still_there(), seconds):
            return
    raise ServiceError(f"process {pid} still uses the data and does not stop: end it by hand, then start again")


def stop_child(process: "subprocess.Popen[bytes]", signals: Iterable[tuple[int, float]]) -> None:
    """Stops our child: each signal in turn, with seconds to wait after each."""
    for number, seconds in signals:
        if process.poll() is not None:
            return
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def dies_with_parent(number: int = signal.SIGTERM) -> Callable[[], None] | None:
    """A ``preexec_fn``: the child gets this signal when our starting thread dies, however. Linux only."""
    if _LIBC is None:
        return None
    parent = os.getpid()

    def set_signal() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return set_signal

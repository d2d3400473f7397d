"""Keeps a set of processes alive: starts a dead one again, and stops all of them in reverse order."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from deploy.embedded.process import Say, ServiceError, Stopped, wait_until

Process = subprocess.Popen  # of bytes

_BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before the first, second, … restart in a row
_HEALTHY_SECONDS = 30.0  # having lived that long, a process starts with a clean record
_WATCH_SECONDS = 1.0  # longest nap: a death is noticed at once by SIGCHLD, this is for a lost signal
_STOP_SECONDS = 10.0


@dataclass
class Child:
    """A process to keep alive.

    ``spawn`` starts it and returns at once. ``stop`` ends it and waits; without one it gets SIGTERM
    together with the others, and SIGKILL for its whole process group after ten seconds. ``explain`` gives
    the end of its log.
    """

    name: str
    spawn: Callable[[], "Process[bytes]"]
    explain: Callable[[], str]
    stop: Callable[["Process[bytes]"], None] | None = None
    process: "Process[bytes] | None" = None
    started: float = 0.0
    deaths: int = 0
    due: float = field(default=0.0)


class Supervisor:
    """Single-threaded on purpose: the kernel ties a child's death signal to the thread that started it."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._children: list[Child] = []
        self._stopping = False
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)

    def listen_for_signals(self) -> None:
        """From here on Ctrl-C, SIGTERM and SIGHUP ask for a clean stop."""
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def check(self) -> None:
        """Raises Stopped when a stop was asked for."""
        if self._stopping:
            raise Stopped

    def adopt(self, child: Child, process: "Process[bytes]") -> None:
        """Looks after a process that was already started."""
        child.process, child.started = process, time.monotonic()
        self._children.append(child)

    def start(self, child: Child) -> None:
        """Starts a process and looks after it."""
        self.adopt(child, child.spawn())

    def watch(
        self,
        done: Callable[[], bool] = lambda: False,
        *,
        nap: float = _WATCH_SECONDS,
        most_deaths: int | None = None,
    ) -> None:
        """Looks after everything until ``done``, asked every ``nap`` seconds and whenever a child ends.

        Raises Stopped when a stop was asked for, and ServiceError when one child died ``most_deaths`` times
        in a row, which while starting up means that it never will live.
        """
        while True:
            self.check()
            for child in self._children:
                self._look_after(child)
                if most_deaths is not None and child.deaths >= most_deaths:
                    raise ServiceError(f"{child.name} does not stay up; the end of its log:\n{child.explain()}")
            if done():
                return
            now = time.monotonic()
            waits = [child.due - now for child in self._children if child.process is None]
            self._sleep(max(0.0, min([nap, *waits])))

    def stop(self) -> None:
        """Stops everything in reverse order, within time limits. Further requests change nothing."""
        self._stopping = True
        living = [(child, child.process) for child in reversed(self._children) if child.process is not None]
        for child, process in living:
            if child.stop is None and process.returncode is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child, process in living:
            if child.stop is not None:
                child.stop(process)
            else:
                wait_until(partial(_has_ended, process), deadline - time.monotonic())
                _end_group(child)
            self._say(f"{child.name} stopped")
        self._children.clear()

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _sleep(self, seconds: float) -> None:
        select.select([self._wake_reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while self._wake_reader.recv(4096):
                pass

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            if not _has_ended(child.process):
                if child.deaths and now - child.started > _HEALTHY_SECONDS:
                    child.deaths = 0
                return
            if now - child.started > _HEALTHY_SECONDS:
                child.deaths = 0
            _end_group(child)
            delay = _BACKOFF[min(child.deaths, len(_BACKOFF) - 1)]
            child.deaths += 1
            how = _how_it_ended(child.process)
            self._say(f"{child.name} {how}; starting it again in {delay:g} s")
            child.process, child.due = None, now + delay
        elif now >= child.due:
            child.process, child.started = child.spawn(), now


def _has_ended(process: "Process[bytes]") -> bool:
    """Whether it ended, without reaping it: until then nobody else can get its number, or its group's."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    except ChildProcessError:  # somebody reaped it
        return True


def _end_group(child: Child) -> None:
    """Ends what a Python child may have left in its process group, such as a worker's pool; reaps it."""
    process = child.process
    if process is None:
        return
    if child.stop is None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _how_it_ended(process: "Process[bytes]") -> str:
    code = process.returncode
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"

"""Brings a bare machine to where ``manage.py`` can run: environment made, locked packages installed.

Standard library only: this runs on the system's Python, before anything is installed.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".interlock-stamp"
UNFINISHED = VENV / ".interlock-unfinished"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"  # holds everything LOCK holds, and more
_DEV_COMMANDS = ("test", "bench")
# How pip's lines begin that are about the next requirement.
_ONE_MORE = ("Collecting ", "Processing ", "Ignoring ", "Requirement already satisfied: ")


class BootstrapError(RuntimeError):
    """The environment could not be made; the text says why and what to do."""


def main(arguments: list[str]) -> int:
    """Makes the environment if need be, goes into it and runs the command; returns its exit code."""
    command = arguments[0] if arguments else "help"
    if command == "up":
        from deploy import up  # noqa: PLC0415 - only this command needs it

        up.parse(arguments[1:])  # --help and wrong use are answered before anything is installed
    try:
        if os.environ.get("INTERLOCK_NO_VENV") == "1":
            _check_as_is()
        else:
            ensure(DEV_LOCK if command in _DEV_COMMANDS else LOCK)
            if not _inside():
                return _go_inside(arguments)
    except BootstrapError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from here")
        return 130
    return _run(command, arguments)


def ensure(lock_name: str) -> None:
    """Makes ``.venv`` hold what the lock file says. Cheap when it already does; safe when two run at once."""
    if _stamp_fits(lock_name):
        return
    with _only_one():
        if _stamp_fits(lock_name):  # the other one did it while we waited
            return
        if not _usable():
            _make()
        _install(lock_name)


def stamp() -> dict[str, str]:
    """What the environment holds, as written after the last installation; empty when unknown."""
    try:
        found = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_stamp(lock_name: str) -> None:
    """Notes that the environment now holds what the lock file says."""
    names = [LOCK, DEV_LOCK] if lock_name == DEV_LOCK else [LOCK]
    noted = {name: _digest(name) for name in names} | {"python": _version_inside()}
    new = STAMP.with_suffix(".new")
    new.write_text(json.dumps(noted, indent=1) + "\n")
    new.replace(STAMP)


def _stamp_fits(lock_name: str) -> bool:
    if UNFINISHED.exists():
        return False
    noted = stamp()
    # The Python is asked, not believed: an upgrade of the system changes it under the environment.
    return noted.get(lock_name) == _digest(lock_name) and noted.get("python") == _version_inside()


def _digest(lock_name: str) -> str:
    return hashlib.sha256((ROOT / lock_name).read_bytes()).hexdigest()


def _version_inside() -> str:
    """Version of the environment's Python as ``3.11``; empty when it does not run."""
    if _inside():
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    asked = [str(PYTHON), "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _inside() -> bool:
    return sys.prefix != sys.base_prefix and Path(sys.prefix).resolve() == VENV.resolve()


def _usable() -> bool:
    """Whether the environment there can be installed into as it is."""
    if not VENV.exists() or UNFINISHED.exists():
        return False
    version = _version_inside()
    if version != stamp().get("python", version) or tuple(map(int, version.split(".") if version else [0])) < (3, 11):
        return False
    asked = [str(PYTHON), "-I", "-c", "import pip"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _make() -> None:
    """Makes the environment anew, over whatever half of one is there."""
    if _inside():
        raise BootstrapError(
            "the environment in .venv is half-made, and this is its own Python: "
            "run `python3 manage.py` with the system's Python, which makes it anew"
        )
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise BootstrapError(
                f"this Python has no module {module}, so no environment can be made. On Debian and Ubuntu: "
                "apt-get install python3-venv (for one version: python%d.%d-venv). "
                % sys.version_info[:2]
                + "Elsewhere: install the complete Python. Or use an environment of your own with "
                f"{LOCK} installed, and set INTERLOCK_NO_VENV=1."
            )
    _say("making .venv")
    # Two steps with the mark between them: killed at any point, the next run sees that it is not finished.
    _step([sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)])
    UNFINISHED.touch()
    _step([str(PYTHON), "-I", "-m", "ensurepip", "--upgrade", "--default-pip"])


def _step(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BootstrapError(
            f"making .venv failed:\n{(done.stdout + done.stderr).strip()}\n"
            "Free what it names (space, permissions) and run the same command again."
        )


def _install(lock_name: str) -> None:
    """Installs the lock file with pip. A run that is killed leaves a mark, and the next one starts over."""
    total = sum("==" in line for line in (ROOT / lock_name).read_text().splitlines())
    _say(f"installing {total} packages from {lock_name}")
    started = time.monotonic()
    UNFINISHED.touch()
    pip = [
        str(PYTHON),
        "-I",
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--no-input",
        "--progress-bar",
        "off",
    ]
    pip += ["--disable-pip-version-check", "-r", str(ROOT / lock_name)]
    quiet = {"PIP_ROOT_USER_ACTION": "ignore"}
    with subprocess.Popen(
        pip,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | quiet,
    ) as process:
        last = _follow(process, total)
    if process.returncode:
        raise BootstrapError(
            "pip could not install the packages:\n    " + "\n    ".join(last) + "\n"
            "Without a way to a package index, set pip's own PIP_INDEX_URL or HTTPS_PROXY. Where a "
            "package has no build for this Python, try another (3.11 to 3.13 are tested). Then run the "
            "same command again."
        )
    write_stamp(lock_name)
    UNFINISHED.unlink()
    _say(f"installed in {time.monotonic() - started:.0f} s")


def _follow(process: "subprocess.Popen[str]", total: int) -> list[str]:
    """Shows how far pip is; returns its last lines."""
    lines: list[str] = []
    seen = 0
    for line in process.stdout or ():
        lines = [*lines[-11:], line.rstrip()]
        if line.startswith("Installing collected packages"):
            _say("all there; writing them into .venv")
        elif line.startswith(_ONE_MORE):
            seen += 1
            if sys.stderr.isatty():
                end = "\r" if seen < total else "\n"
                print(f"interlock: {seen} of {total} packages", end=end, file=sys.stderr, flush=True)
            elif seen % 25 == 0:
                _say(f"{seen} of {total} packages")
    return lines


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Holds the checkout's lock: the directory's own, so that nothing is left lying about."""
    if os.name == "nt":  # no lock on directories; two at once are unlikely there, and pip fails loudly
        yield
        return
    import fcntl  # noqa: PLC0415 - not on Windows

    handle = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another run is preparing .venv; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _check_as_is() -> None:
    if importlib.util.find_spec("django") is None:
        raise BootstrapError(
            f"INTERLOCK_NO_VENV=1 says to use this Python as it is, but it has no Django: install {LOCK} "
            "into it, or unset INTERLOCK_NO_VENV"
        )


def _go_inside(arguments: list[str]) -> int:
    """Becomes the same command under the environment's Python."""
    command = [str(PYTHON), str(ROOT / "manage.py"), *arguments]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":  # there, exec returns to the shell before the command is done
        return subprocess.run(command, env=environment, check=False).returncode
    os.execve(PYTHON, command, environment)  # noqa: S606 - our own interpreter, no shell wanted


def _run(command: str, arguments: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    if command == "up":
        from deploy import up  # noqa: PLC0415 - after the environment

        return up.main(arguments[1:])
    if command == "test":
        from deploy import test_command  # noqa: PLC0415 - after the environment

        return test_command.main(arguments[1:])
    if command == "bench":
        return subprocess.run([sys.executable, "-m", "tests.bench", *arguments[1:]], cwd=ROOT, check=False).returncode
    from deploy import running  # noqa: PLC0415 - after the environment

    running.lead_to_services(command)
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - after the environment

    execute_from_command_line(["manage.py", *arguments])
    return 0


def _say(line: str) -> None:
    print(f"interlock: {line}", file=sys.stderr, flush=True)

"""`python3 manage.py test`: the static checks, then the whole suite against real services."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What is shown, the module that must be installed for it, the command. Quick ones first.
_CHECKS = (
    ("ruff check", "ruff", [sys.executable, "-m", "ruff", "check", "--quiet", "."]),
    ("ruff format", "ruff", [sys.executable, "-m", "ruff", "format", "--check", "--quiet", "."]),
    (
        "import contracts",
        "importlinter",
        [
            sys.executable,
            "-c",
            "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())",
        ],
    ),
    (
        "migrations match models",
        "django",
        [sys.executable, "-W", "ignore", "-m", "django", "makemigrations", "--check", "--dry-run"],
    ),
    ("mypy", "mypy", [sys.executable, "-m", "mypy"]),
)
# Where nothing answers: no check may depend on a server.
_NOWHERE = {"DATABASE_URL": "postgresql://none@127.0.0.1:1/none", "INTERLOCK_DATABASE_ROLE": "owner"}
# Arguments of pytest that choose tests, or say how they run.
_CHOICES = (
    "-n",
    "-k",
    "-m",
    "-s",
    "-h",
    "--lf",
    "--last-failed",
    "--sw",
    "--co",
    "--pdb",
    "--help",
    "--version",
)
# Tests that share one expensive thing form a group (xdist_group), and stay on one worker.
_PARALLEL = ("-n", "2", "--dist", "loadgroup")


def main(arguments: list[str]) -> int:
    """Runs the suite, in parallel unless ``arguments`` choose tests or say how; returns the exit code.

    Without arguments the static checks come first.
    """
    failed = [] if arguments else [name for name, module, command in _CHECKS if not _passes(name, module, command)]
    parallel = () if any(_chooses(argument) for argument in arguments) else _PARALLEL
    code = _run([sys.executable, "-m", "pytest", *parallel, *arguments])
    if failed:
        # After the suite, so that its summary and this line are both at the end of the output.
        print(f"static checks failed: {', '.join(failed)} (their output is above the tests')", flush=True)
    return code or (1 if failed else 0)


def _chooses(argument: str) -> bool:
    """Whether a pytest argument chooses tests, or how many run at once: workers do not pay then."""
    return argument.startswith(_CHOICES) or (ROOT / argument.split("::", 1)[0]).exists()


def _run(command: list[str]) -> int:
    """Runs pytest and leaves it the time to stop its services, however we are asked to end."""
    # Before the start: so pytest begins with Ctrl-C on, even where a shell's `&` turned it off for us.
    signal.signal(signal.SIGINT, lambda number, frame: None)  # the terminal tells pytest, too
    process = subprocess.Popen(command, cwd=ROOT)
    signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(signal.SIGINT))
    return process.wait()


def _passes(name: str, module: str, command: list[str]) -> bool:
    if importlib.util.find_spec(module) is None:
        print(
            f"{name:<24} NOT CHECKED HERE: {module} is not installed (it is in requirements-dev.lock)",
            flush=True,
        )
        return os.environ.get("CI") != "true"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "deploy.settings"} | _NOWHERE
    environment["MIGRATE_DATABASE_URL"] = _NOWHERE["DATABASE_URL"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(f"{name:<24} {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0

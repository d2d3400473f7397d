"""`python3 manage.py up`: everything on this machine, under one supervisor, until Ctrl-C.

Only the standard library up here: the options are read before anything is installed.
"""

import argparse
import contextlib
import os
from pathlib import Path

from deploy.telling import Progress, given

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 8000
CLEAN, FAILED, WRONG_USE, ALREADY_RUNNING = 0, 1, 2, 3
_EPILOG = """\
environment:
  DATABASE_URL, MIGRATE_DATABASE_URL   your own PostgreSQL 15+: the serving role's URL and the owner's
  REDIS_URL                            your own Redis or Valkey
  SECRET_KEY, BASE_URL                 kept in the data directory, and made from host and port, when unset
  INTERLOCK_WEB_SERVER                 uvicorn (default) or daphne
  INTERLOCK_WEB_PROCESSES              how many web processes share the port (default 1)

exit codes: 0 stopped cleanly, 1 failed, 2 wrong use, 3 already running on the same data
"""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Reads the options; answers --help, and exits with 2 when they are wrong."""
    parser = argparse.ArgumentParser(
        prog="manage.py up",
        description="Run Interlock on this machine: PostgreSQL, Redis, web, worker and beat, until Ctrl-C.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="where to listen; 0 picks a free port (8000)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine only)")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("INTERLOCK_DATA_DIR") or ROOT / ".interlock-data"),
        metavar="DIR",
        help="where everything is kept (INTERLOCK_DATA_DIR, or .interlock-data beside manage.py)",
    )
    parser.add_argument("--json", action="store_true", help="the first line of output is one JSON object")
    options = parser.parse_args(arguments)
    if os.name == "nt":
        parser.error("not on Windows itself: use WSL or the container image")
    count = os.environ.get("INTERLOCK_WEB_PROCESSES", "1")
    if not count.isdecimal() or not 1 <= int(count) <= 64:
        parser.error(f"INTERLOCK_WEB_PROCESSES must be a number from 1 to 64, not {count!r}")
    if (server := os.environ.get("INTERLOCK_WEB_SERVER", "uvicorn")) not in ("uvicorn", "daphne"):
        parser.error(f"INTERLOCK_WEB_SERVER must be uvicorn or daphne, not {server!r}")
    if given("DATABASE_URL") and not given("MIGRATE_DATABASE_URL"):
        parser.error(
            "DATABASE_URL is set without MIGRATE_DATABASE_URL: set that, too, to the URL of the role "
            "that owns the schema (the serving role must own nothing), or unset DATABASE_URL for the "
            "embedded PostgreSQL"
        )
    if given("MIGRATE_DATABASE_URL") and not given("DATABASE_URL"):
        parser.error("MIGRATE_DATABASE_URL is set without DATABASE_URL: set both or none of them")
    options.web_processes = int(count)
    return options


def main(arguments: list[str]) -> int:
    """Runs until a stop is asked for; returns the exit code."""
    from deploy.embedded.process import ServiceError, Stopped  # noqa: PLC0415 - see above
    from deploy.listening import PortTaken, listen  # noqa: PLC0415
    from deploy.running import AlreadyRunning, DataLock  # noqa: PLC0415

    options = parse(arguments)
    say = Progress()
    directory: Path = options.data.absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = DataLock(directory)
        with contextlib.closing(listen(options.host, options.port)) as listener:
            from deploy.stack import Stack  # noqa: PLC0415

            Stack(options, directory, listener, lock, say).run()
    except AlreadyRunning as error:
        say(str(error))
        return ALREADY_RUNNING
    except PortTaken as error:
        say(str(error))
        return WRONG_USE
    except (Stopped, KeyboardInterrupt):  # the latter before the supervisor listens
        say("stopped cleanly")
        return CLEAN
    except (ServiceError, OSError) as error:
        say(f"failed: {error}")
        return FAILED
    return CLEAN


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a number from 0 to 65535 is needed, not {text!r}")
    return int(text)

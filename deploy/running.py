"""What `manage.py up` leaves in its data directory for others: who runs there, and the way to its services.

Standard library only.
"""

import contextlib
import fcntl
import json
import os
from pathlib import Path

from deploy.embedded.process import write_secret

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_DIRECTORY = ROOT / ".interlock-data"
_URLS = ("DATABASE_URL", "MIGRATE_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "BASE_URL")


class AlreadyRunning(RuntimeError):
    """Another ``up`` works on the same data."""


class DataLock:
    """Held by the one ``up`` that works on a data directory; the kernel drops it however that one ends."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "up.lock"
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise AlreadyRunning(self._describe()) from None
        self.note(url="")

    def note(self, *, url: str) -> None:
        """Leaves word for whoever comes second."""
        text = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, text, 0)

    def release(self) -> None:
        """Lets the next one in."""
        os.close(self._handle)

    def _describe(self) -> str:
        noted = {}
        with contextlib.suppress(OSError, ValueError):
            noted = json.loads(self._path.read_text())
        where = f"at {noted['url']}" if noted.get("url") else "and still starting"
        return (
            f"already running {where} (process {noted.get('pid', 'unknown')}) with the data in "
            f"{self._path.parent}: use that one, stop it with Ctrl-C or `kill {noted.get('pid', '<pid>')}`, "
            "or start a second one with another --data and --port"
        )


def note_services(directory: Path, environment: dict[str, str]) -> None:
    """Keeps the way to the running services for other commands; readable by the owner only."""
    kept = {name: environment[name] for name in _URLS if name in environment}
    write_secret(directory / "services.json", json.dumps(kept, indent=1) + "\n")


def forget_services(directory: Path) -> None:
    """After a stop there is no way there any more."""
    (directory / "services.json").unlink(missing_ok=True)


def lead_to_services(command: str) -> None:
    """Lets a Django command reach the services of a running ``up``, when the environment names no others."""
    if command == "migrate":
        os.environ.setdefault("INTERLOCK_DATABASE_ROLE", "owner")
    if "DATABASE_URL" in os.environ or "DATABASE_URL_FILE" in os.environ:
        return
    directory = Path(os.environ.get("INTERLOCK_DATA_DIR", DEFAULT_DIRECTORY))
    with contextlib.suppress(OSError, ValueError):
        for name, value in json.loads((directory / "services.json").read_text()).items():
            os.environ.setdefault(name, value)

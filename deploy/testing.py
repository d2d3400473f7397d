"""Early pytest plugin: a real Postgres and Redis under the whole suite, migrated once, gone afterwards.

It is loaded by ``addopts = -p deploy.testing``, before Django reads its settings. All xdist workers share one
database: every test makes its own team and commits for real, so tests are kept apart by tenancy, as
customers are. Environment: ``INTERLOCK_TEST_DATABASE_URL``, ``INTERLOCK_TEST_MIGRATE_DATABASE_URL`` and
``INTERLOCK_TEST_REDIS_URL`` name servers of your own; ``INTERLOCK_TEST_NO_SERVICES=1`` starts nothing when
only ``tests/engine`` is asked for; ``CI=true`` turns what :func:`requires` would skip into failures.
"""

import atexit
import fcntl
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.embedded.postgres import Postgres
from deploy.embedded.process import ServiceError
from deploy.embedded.redis import Redis

ROOT = Path(__file__).resolve().parent.parent
_OWNED = "INTERLOCK_TEST_SERVICES"
_PREFIX = "interlock-test-"


@dataclass(frozen=True)
class _Need:
    programs: tuple[str, ...] = ()
    module: str = ""
    install: str = ""


_NEEDS = {
    "chromium": _Need(("chromium", "chromium-browser", "google-chrome"), install="install the package chromium"),
    "node": _Need(("node",), install="install Node.js 20 or later"),
    "playwright": _Need(module="playwright", install="pip install playwright"),
    "setpriv": _Need(("setpriv",), install="install the package util-linux"),
    "docker": _Need(("docker",), install="install Docker"),
}


def requires(name: str) -> str:
    """The path of a program a test needs (empty for a Python package); without it the test is skipped.

    One loud line at the end of the run says what was skipped for want of it. Under ``CI=true`` it is a
    failure: there nothing may be skipped unseen. Works in tests, in fixtures and at the top of a module.
    """
    need = _NEEDS.get(name) or _Need((name,), install=f"install {name}")
    if need.module and importlib.util.find_spec(need.module):
        return ""
    for program in need.programs:
        if path := shutil.which(program):
            return path
    unavailable(name, need.install)
    raise AssertionError("unreachable")


def unavailable(name: str, way_out: str) -> None:
    """Ends the test because this machine lacks ``name``: a loud skip, or a failure under ``CI=true``."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {name}: {way_out}")
    pytest.skip(f"needs {name}: {way_out}", allow_module_level=True)


class Services:
    """The servers of one test run, in a temporary directory that goes when they go."""

    def __init__(self) -> None:
        self._stops: list[Callable[[], None]] = []

    def start(self) -> dict[str, str]:
        """Starts what is not given by the environment; returns the variables that lead there."""
        self._sweep()
        folder = self._make_folder()
        found = {"INTERLOCK_DATA_DIR": str(folder), "SECRET_KEY": secrets.token_urlsafe(50)}
        given = os.environ
        if url := given.get("INTERLOCK_TEST_DATABASE_URL"):
            owner = given.get("INTERLOCK_TEST_MIGRATE_DATABASE_URL")
            if not owner:
                raise ServiceError("INTERLOCK_TEST_DATABASE_URL needs INTERLOCK_TEST_MIGRATE_DATABASE_URL beside it")
            found |= {"DATABASE_URL": url, "MIGRATE_DATABASE_URL": owner}
        else:
            postgres = Postgres(folder / "postgres", log=folder / "logs/postgres.log", profile="test")
            database = postgres.start()
            self._stops.append(lambda: postgres.stop(database))
            found |= {
                "DATABASE_URL": postgres.database_url,
                "MIGRATE_DATABASE_URL": postgres.migrate_database_url,
            }
        if url := given.get("INTERLOCK_TEST_REDIS_URL"):
            found["REDIS_URL"] = url
        else:
            redis = Redis(folder / "redis", log=folder / "logs/redis.log", profile="test")
            broker = redis.start()
            self._stops.append(lambda: redis.stop(broker))
            found["REDIS_URL"] = redis.redis_url
        return found

    def stop(self) -> None:
        """Stops and removes everything; harmless when repeated."""
        while self._stops:
            self._stops.pop()()

    def _make_folder(self) -> Path:
        """A directory whose lock says that we live; locked before it gets the name ``_sweep`` looks for."""
        new = Path(tempfile.mkdtemp(prefix="interlock-new-"))
        lock = os.open(new / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = new.rename(new.with_name(new.name.replace("interlock-new-", _PREFIX)))
        self._stops.append(lambda: os.close(lock))
        self._stops.append(lambda: shutil.rmtree(folder, ignore_errors=True))
        return folder

    @staticmethod
    def _sweep() -> None:
        """Stops and removes what runs that were killed left behind."""
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            try:
                lock = os.open(folder / "lock", os.O_RDWR)
            except OSError:
                continue  # another user's, or going away right now
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                Postgres(folder / "postgres", log=folder / "log", profile="test").stop_orphan()
                Redis(folder / "redis", log=folder / "log").stop_orphan()
                shutil.rmtree(folder, ignore_errors=True)
            except BlockingIOError:
                pass  # that run is alive
            finally:
                os.close(lock)


_services = Services()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Starts the services and leads the settings to them, before pytest-django reads those."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    # xdist's workers inherit the controller's environment, and its services with it.
    if "PYTEST_XDIST_WORKER" not in os.environ and _OWNED not in os.environ:
        if _wants_services(early_config):
            _start()
        else:
            _lead_nowhere()
    return (yield)


def pytest_unconfigure() -> None:
    """Stops the services; in the process that started them only."""
    _services.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses pytest-django's own isolation: its flush would empty the database under the other workers."""
    wrong = [
        item.nodeid
        for item in items
        if item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    ]
    if wrong:
        raise pytest.UsageError(
            "tests here commit for real and are kept apart by their team: make a team instead of using "
            f"django_db, db, transactional_db or live_server, in {', '.join(wrong[:5])}"
        )


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    """One loud line for everything this machine lacks."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    for reason, count in sorted(reasons.items()):
        if reason.startswith("needs "):
            terminalreporter.write_line(f"NOT TESTED HERE: {count} skipped, {reason}", red=True, bold=True)


@pytest.fixture(scope="session", autouse=True)
def _database_for_all(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """Lets every test use the database, without the mark that would wrap it in a transaction."""
    if not request.config.pluginmanager.hasplugin("django"):
        yield
        return
    with request.getfixturevalue("django_db_blocker").unblock():
        yield
        from django.db import connection, connections  # noqa: PLC0415 - not before the settings are led

        connections.close_all()
        if hasattr(connection, "close_pool"):
            connection.close_pool()


def _wants_services(config: pytest.Config) -> bool:
    options = config.known_args_namespace
    if options.help or options.version or getattr(options, "collectonly", False):
        return False
    if os.environ.get("INTERLOCK_TEST_NO_SERVICES") != "1":
        return True
    asked = [Path(os.path.abspath(name.split("::", 1)[0])) for name in options.file_or_dir]
    return not asked or not all(path.is_relative_to(ROOT / "tests/engine") for path in asked)


def _start() -> None:
    atexit.register(_services.stop)
    try:
        os.environ.update(_services.start())
        os.environ[_OWNED] = "1"
        _migrate()
    except ServiceError as error:
        _services.stop()
        raise pytest.UsageError(str(error)) from None


def _lead_nowhere() -> None:
    """Settings load, and whoever touches a service anyway is refused at once."""
    nowhere = "postgresql://none:none@127.0.0.1:1/none"
    for name, value in {
        "DATABASE_URL": nowhere,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "none",
    }.items():
        os.environ.setdefault(name, value)


def _migrate() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--noinput", "--verbosity", "0"],
        cwd=ROOT,
        env=os.environ | {"INTERLOCK_DATABASE_ROLE": "owner"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServiceError(f"the migrations fail on an empty database:\n{done.stdout[-4000:]}")

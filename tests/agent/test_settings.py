"""Where the server is and who asks: found, believed and refused."""

from pathlib import Path

import pytest

from mcp_gateway.agent import settings
from mcp_gateway.agent.settings import NotConfigured, is_placeholder, load, read
from tests.agent.desk import git, repository, wire

GIVEN = {
    "INTERLOCK_URL": "https://lock.acme.dev",
    "INTERLOCK_TOKEN": "ilk_agent_abcdefgh",
    "INTERLOCK_PROJECT": "acme/web",
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A wired repository."""
    folder = repository(tmp_path / "app")
    wire(folder, "https://lock.acme.dev/", "ilk_agent_from_file", "acme/web", INTERLOCK_REPOSITORY="web")
    return folder


def test_the_file_is_found_from_below(app: Path) -> None:
    found = load(app / "src/auth", {})
    assert (found.url, found.team, found.project) == ("https://lock.acme.dev", "acme", "web")
    assert (found.token, found.repository, found.root) == ("ilk_agent_from_file", "web", app)
    assert found.file == app / ".interlock/local.env"


def test_a_linked_worktree_has_the_settings_of_the_main_one(app: Path, tmp_path: Path) -> None:
    linked = tmp_path / "elsewhere" / "linked"
    git("worktree", "add", "--quiet", str(linked), at=app)
    found = load(linked / "src", {})
    assert found.token == "ilk_agent_from_file"
    assert found.root == app
    assert found.checkout is not None and found.checkout.top == linked


def test_a_linked_worktree_may_have_settings_of_its_own(app: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git("worktree", "add", "--quiet", str(linked), at=app)
    wire(linked, "https://lock.acme.dev", "ilk_agent_of_its_own", "acme/web")
    assert load(linked, {}).token == "ilk_agent_of_its_own"


def test_a_clone_within_a_wired_checkout_is_a_part_of_it(app: Path) -> None:
    inner = repository(app / "vendor/lib", "lib.py")
    assert load(inner, {}).checkout == load(app, {}).checkout
    wire(inner, "https://lock.acme.dev", "ilk_agent_of_the_inner", "acme/lib")
    found = load(inner, {})
    assert found.project == "lib" and found.checkout is not None and found.checkout.top == inner


def test_the_environment_goes_before_the_file_value_by_value(app: Path) -> None:
    found = load(app, {"INTERLOCK_TOKEN": "ilk_agent_from_env"})
    assert (found.token, found.url) == ("ilk_agent_from_env", "https://lock.acme.dev")


def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    found = load(tmp_path, GIVEN)
    assert (found.file, found.root, found.token) == (None, None, "ilk_agent_abcdefgh")


@pytest.mark.parametrize(
    "value",
    ["set-me", "SET-ME", "${INTERLOCK_TOKEN}", "${INTERLOCK_TOKEN:-}", "$INTERLOCK_TOKEN", "<your token>", "changeme"]
    + ["https://interlock.example.com", "http://example.com:8000", "%INTERLOCK_URL%", "ilk_agent_set-me"],
)
def test_a_placeholder_never_counts(app: Path, value: str) -> None:
    assert is_placeholder(value)
    # Wherever it stands: in the environment it does not hide the file's value, in the file it is no value.
    assert load(app, {"INTERLOCK_TOKEN": value}).token == "ilk_agent_from_file"
    wire(app, "https://lock.acme.dev", value, "acme/web")
    with pytest.raises(NotConfigured, match="INTERLOCK_TOKEN is not set"):
        load(app, {})


@pytest.mark.parametrize("value", ["ilk_agent_abcdefgh", "https://lock.acme.dev", "http://127.0.0.1:8000", "acme/web"])
def test_a_real_value_is_no_placeholder(value: str) -> None:
    assert not is_placeholder(value)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("export A=plain", "plain"),
        ("  A = spaced  ", "spaced"),
        ("A='single # quoted'", "single # quoted"),
        ('A="double"', "double"),
        ("A=\"'two'\"", "'two'"),
        ("A=value # why", "value"),
        ("A=with#hash", "with#hash"),
        ("A=$(touch pwned)`id`", "$(touch pwned)`id`"),
        ("A=one\nA=two", "two"),
        ("A=x=y", "x=y"),
        ("A=", ""),
    ],
)
def test_the_file_is_read_as_data(tmp_path: Path, line: str, value: str) -> None:
    file = tmp_path / "local.env"
    file.write_bytes(b"\xef\xbb\xbf# comment\r\n\r\nnot an assignment\r\n" + line.encode() + b"\r\n")
    assert read(file) == {"A": value}
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("INTERLOCK_URL", "ftp://lock.acme.dev", "must read https://host"),
        ("INTERLOCK_URL", "https://me:secret@lock.acme.dev", "without user"),
        ("INTERLOCK_URL", "lock.acme.dev", "must read https://host"),
        ("INTERLOCK_TOKEN", "two words", "characters that no token has"),
        ("INTERLOCK_TOKEN", "line\r\nInjected: yes", "characters that no token has"),
        ("INTERLOCK_PROJECT", "web", "must read team/project"),
        ("INTERLOCK_AGENT", "no spaces please", "letters, digits"),
    ],
)
def test_what_cannot_be_right_is_refused_without_repeating_a_secret(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    with pytest.raises(NotConfigured, match=said) as refused:
        load(tmp_path, GIVEN | {name: value})
    assert refused.value.code == 3
    assert "secret" not in str(refused.value) and "Injected" not in str(refused.value)


def test_what_is_missing_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"INTERLOCK_URL is not set.*interlock init"):
        load(tmp_path, {})


def test_the_token_is_not_shown_where_settings_are_printed(tmp_path: Path) -> None:
    assert "abcdefgh" not in repr(load(tmp_path, GIVEN))


def test_a_file_of_another_user_is_not_believed(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings.os, "getuid", lambda: 54321)
    found = settings.workplace(app)[1]
    # Root's is believed, as git does; this suite may well run as root.
    owner = (app / ".interlock/local.env").stat().st_uid
    assert (found is None) == (owner not in (0, 54321))

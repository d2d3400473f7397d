"""What must not stand in any file of the project: paths of a machine, hosts of a package index, secrets."""

import re
from pathlib import Path

import pytest

from tests.meta.code import ROOT, tracked

# Written in pieces, so that this file does not hold them.
_MACHINES = [f"/{top}/{rest}" for top, rest in (("work", "main"), ("work", "shared"), ("root", ""), ("Users", ""))]
_INDEXES = ["py" + "pi.org", "python" + "hosted.org", "--index" + "-url", "--find" + "-links", "--trusted" + "-host"]
_LOCKS = ("requirements.lock", "requirements-dev.lock")
_TOKEN = re.compile(r"ilk_[a-z]+_[0-9A-Za-z]{32}_[0-9a-f]{8}")


def texts() -> list[tuple[str, str]]:
    """Every text file with its name."""
    found = []
    for path in tracked():
        try:
            found.append((path.relative_to(ROOT).as_posix(), path.read_text()))
        except UnicodeDecodeError:
            continue
    assert len(found) > 100
    return found


@pytest.mark.parametrize("word", [*_MACHINES, *_INDEXES])
def test_no_file_names_this_machine_or_a_package_index(word: str) -> None:
    assert [name for name, text in texts() if word in text and name != "LICENSE"] == []


@pytest.mark.parametrize("name", _LOCKS)
def test_lock_files_hold_pinned_and_hashed_packages_and_no_addresses(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert len(packages) > 20
    assert [line for line in packages if not re.match(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+", line)] == []
    assert not [line for line in lines if "://" in line]
    assert "\n".join(lines).count("--hash=sha256:") >= len(packages)


def test_what_is_installed_to_serve_is_a_part_of_what_is_installed_to_test() -> None:
    pins = [set(re.findall(r"^([a-z0-9._-]+==[^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)) for name in _LOCKS]
    assert pins[0] - pins[1] == set()


def test_no_file_holds_what_looks_like_a_token() -> None:
    assert [name for name, text in texts() if _TOKEN.search(text)] == []


def test_the_licence_is_the_one_that_is_named() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()


def test_claude_reads_what_everybody_reads() -> None:
    assert Path(ROOT / "CLAUDE.md").read_text() == "@AGENTS.md\n"

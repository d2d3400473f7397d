"""`manage.py` on a bare machine: makes its environment, mends a broken one, and says what is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.testing import ROOT

pytestmark = pytest.mark.xdist_group("bootstrap")
_MISSING = f"nobody-has-this-package==1.0 --hash=sha256:{'0' * 64}\n"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that needs no package at all, with a command that tells where it runs."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "manage.py", root)
    shutil.copytree(ROOT / "deploy", root / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (root / lock).write_text("# nothing\n")
    (root / "tests/bench").mkdir(parents=True)
    (root / "tests/bench/__main__.py").write_text("import sys; print(sys.prefix, *sys.argv[1:])\n")
    return root


def _start(checkout: Path, **more: str) -> "subprocess.Popen[str]":
    environment = {k: v for k, v in os.environ.items() if k not in ("INTERLOCK_NO_VENV", "VIRTUAL_ENV")}
    python = getattr(sys, "_base_executable", sys.executable)
    return subprocess.Popen(
        [python, str(checkout / "manage.py"), "bench", "--x", "a b"],
        cwd="/",
        env=environment | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(checkout: Path, **more: str) -> tuple[int | None, str, str]:
    process = _start(checkout, **more)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_a_bare_checkout_becomes_ready_and_stays_so(checkout: Path) -> None:
    inside = f"{checkout / '.venv'} --x a b\n"
    both = [_start(checkout), _start(checkout)]  # two at once: one makes it, the other waits
    said = []
    for process in both:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, inside), err
        said.append(err)
    assert sum("making .venv" in err for err in said) == 1
    assert _run(checkout) == (0, inside, "")


@pytest.mark.parametrize("damage", ["unfinished", "python gone", "stamp of another Python"])
def test_a_broken_environment_is_made_anew(checkout: Path, damage: str) -> None:
    _run(checkout)
    venv = checkout / ".venv"
    (venv / "left-over").touch()
    if damage == "unfinished":
        (venv / ".interlock-unfinished").touch()
    elif damage == "python gone":
        (venv / "bin/python").unlink()
    else:
        stamp = venv / ".interlock-stamp"
        stamp.write_text(stamp.read_text().replace('"python": "3.', '"python": "2.'))
    code, out, err = _run(checkout)
    assert (code, out) == (0, f"{venv} --x a b\n"), err
    assert "making .venv" in err
    assert not (venv / "left-over").exists()


def test_packages_that_cannot_be_had_are_told_with_the_way_out(checkout: Path) -> None:
    lock = checkout / "requirements-dev.lock"
    lock.write_text(_MISSING)
    try:
        code, out, err = _run(checkout, PIP_NO_INDEX="1")
    finally:
        lock.write_text("# nothing\n")
    assert (code, out) == (1, "")
    assert "nobody-has-this-package" in err
    assert "PIP_INDEX_URL" in err


def test_a_python_of_ones_own_needs_django(checkout: Path) -> None:
    code, _, err = _run(checkout, INTERLOCK_NO_VENV="1", PYTHONPATH="")
    if code == 0:
        pytest.skip("this machine's Python has Django")
    assert code == 1
    assert "unset INTERLOCK_NO_VENV" in err


def test_an_old_python_is_told_so() -> None:
    program = f"import sys; sys.version_info = (3, 9); exec(open({str(ROOT / 'manage.py')!r}).read())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "needs Python 3.11 or later, and this is 3.9" in done.stderr

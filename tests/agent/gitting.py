"""Real git repositories for tests, made by the real git, apart from this machine's settings."""

import os
import subprocess
from pathlib import Path

# Nobody's own settings reach the tests, and nothing that binds git to the repository the suite is run from.
_APART = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_EDITOR": "true",
    "GIT_MERGE_AUTOEDIT": "no",
}


def environment(**more: str) -> dict[str, str]:
    """The environment the tests' git runs in."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _APART | more


class Repo:
    """A checkout."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, path: Path, *options: str) -> "Repo":
        """A new repository on branch ``main``."""
        path.mkdir(parents=True, exist_ok=True)
        repo = cls(path)
        repo.git("init", "-q", "-b", "main", *options)
        return repo

    def git(self, *args: str | bytes, check: bool = True, stdin: bytes = b"", **env: str) -> str:
        """Run git; what it printed."""
        return self.done(*args, check=check, stdin=stdin, **env).stdout.decode("utf-8", "surrogateescape").strip()

    def done(
        self, *args: str | bytes, check: bool = True, stdin: bytes = b"", **env: str
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run git; everything that came of it."""
        done = subprocess.run(
            ["git", *args], cwd=self.path, env=environment(**env), input=stdin, capture_output=True, check=False
        )
        assert not check or done.returncode == 0, (args, done.stdout.decode(), done.stderr.decode())
        return done

    def write(self, name: str | bytes, text: str | bytes = "") -> Path:
        """A file with this text."""
        path = self.path / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self, message: str = "Work.", **files: str) -> str:
        """Commit everything there is, after writing some files (``a__b`` is ``a/b``); the commit."""
        for name, text in files.items():
            self.write(name.replace("__", "/"), text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def blob(self, name: str, commit: str = "HEAD") -> str:
        """The object id of a path."""
        return self.git("rev-parse", f"{commit}:{name}")

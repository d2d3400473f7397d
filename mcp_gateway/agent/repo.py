"""The git checkout one stands in, found by walking up: no subprocess, so that a hook can afford it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    """A git working tree.

    Attributes:
        top: where its files begin.
        git_dir: what git keeps for this working tree alone (HEAD, index).
        common_dir: what all working trees of the repository share; equal to `git_dir` in the main one.
        main: the top of the main working tree; equal to `top` in the main one, in a submodule of its own, and
            where a bare repository has no main one.
    """

    top: Path
    git_dir: Path
    common_dir: Path
    main: Path


def checkout_of(path: Path) -> Checkout | None:
    """The innermost checkout that `path` lies in, whether or not `path` exists; None outside of any."""
    return next(checkouts_around(path), None)


def checkouts_around(path: Path) -> Iterator[Checkout]:
    """Every checkout around `path`, innermost first: a submodule, then what it is a module of."""
    here = real(path)
    for folder in (here, *here.parents):
        found = _checkout_at(folder)
        if found is not None:
            yield found


def real(path: Path) -> Path:
    """`path`, absolute and with links followed as far as it exists: what git compares."""
    return Path(os.path.realpath(path))


def branch(checkout: Checkout) -> str:
    """The branch that is checked out; empty when none is (a detached HEAD) or it cannot be told without git."""
    head = _first_line(checkout.git_dir / "HEAD")
    name = head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""
    return "" if name == ".invalid" else name  # where references are kept in another format


def _checkout_at(top: Path) -> Checkout | None:
    dot = top / ".git"
    if dot.is_dir():
        git_dir = dot
    else:
        pointed = _first_line(dot)
        if not pointed.startswith("gitdir: "):
            return None
        git_dir = real(top / pointed.removeprefix("gitdir: "))
    if not (git_dir / "HEAD").is_file():
        return None
    shared = _first_line(git_dir / "commondir")
    if not shared:
        return Checkout(top, git_dir, git_dir, top)
    common_dir = real(git_dir / shared)
    return Checkout(top, git_dir, common_dir, _main_of(common_dir) or top)


def _main_of(common_dir: Path) -> Path | None:
    """The main working tree that a linked one belongs to."""
    told = _worktree_setting(common_dir / "config")
    if told:
        return real(common_dir / told)
    main = common_dir.parent
    return main if common_dir.name == ".git" and not _is_bare(common_dir / "config") else None


def _worktree_setting(config: Path) -> str:
    return _core(config).get("worktree", "")


def _is_bare(config: Path) -> bool:
    return _core(config).get("bare", "false").lower() in ("true", "yes", "on", "1")


def _core(config: Path) -> dict[str, str]:
    """The settings of `[core]` as written. Enough for what git itself writes there; includes are not followed."""
    found: dict[str, str] = {}
    section = ""
    for line in _lines(config):
        text = line.strip()
        if text.startswith("["):
            section = text.lower()
        elif section == "[core]" and "=" in text:
            name, _, value = text.partition("=")
            found[name.strip().lower()] = value.strip().strip('"')
    return found


def _first_line(file: Path) -> str:
    return next(iter(_lines(file)), "").strip()


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []

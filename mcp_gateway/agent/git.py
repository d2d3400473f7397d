"""Reading git: what is staged, what the working tree changed, what a range of commits changed.

Names of paths are read without loss, whatever bytes they hold. Settings that would change the output (colours, external
diffs, text conversion, prefixes, relative paths, rename detection) are overruled. ``GIT_DIR``, ``GIT_INDEX_FILE`` and
their like are honoured: git sets them for its hooks, and ``git commit -a`` stages into another index than the
usual one. Whoever asks about *another* checkout than the one they were started for passes ``apart=True``.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mcp_gateway.agent.patches import GONE, Touched, octets, read, text

_LOCAL = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_INTERNAL_SUPER_PREFIX",
]
"""What ``git rev-parse --local-env-vars`` names: what binds git to one repository."""

_DIFF = [
    "--raw",
    "-p",
    "-U0",
    "--no-abbrev",
    "--full-index",
    "--no-renames",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--submodule=short",
    "--ignore-submodules=dirty",
    "--diff-algorithm=myers",
    "--no-indent-heuristic",
    "--inter-hunk-context=0",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--ita-invisible-in-index",
]


class GitError(Exception):
    """Git said no. The text is git's own first line, with what was asked."""


@dataclass(frozen=True, slots=True)
class Change:
    """One changed path.

    ``blob`` is git's object id of what it became (a submodule: the commit it points at), 40 zeros for a
    deletion, empty where the content is not in git yet. ``patch`` is the digest of the path's own changed lines
    (:mod:`mcp_gateway.agent.patches`); ``patches`` has one for each commit of a range that touched the path.
    """

    path: str
    blob: str
    patch: str = ""
    patches: tuple[str, ...] = ()


def sendable(path: str) -> bool:
    """Whether a path can be named to the server: at most 1,024 letters, no control characters, nothing but UTF-8."""
    return len(path) <= 1024 and not any(
        letter < " " or "\x7f" <= letter <= "\x9f" or "\ud800" <= letter <= "\udfff" for letter in path
    )


def run(
    args: Sequence[str],
    cwd: Path | str,
    *,
    stdin: bytes = b"",
    apart: bool = False,
    codes: int = 0,
    more: Mapping[str, str] | None = None,
) -> bytes:
    """What git prints. Exit codes up to ``codes`` are taken for answers; others raise :class:`GitError`.

    ``more`` are further variables of its environment.
    """
    env = environment(apart=apart) | dict(more or {})
    try:
        done = subprocess.run(["git", *args], cwd=cwd, input=stdin, env=env, capture_output=True, check=False)
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror or error}") from error
    if not 0 <= done.returncode <= codes:
        raise GitError(_complaint(args, done.stderr))
    return done.stdout


def environment(*, apart: bool = False, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment git is run in: its messages in English, nothing asked on a terminal, no locks taken for show."""
    env = dict(os.environ if base is None else base)
    env.pop("GIT_DIFF_OPTS", None)
    if apart:
        for name in _LOCAL:
            env.pop(name, None)
    return env | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


def _complaint(args: Sequence[str], stderr: bytes) -> str:
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return f"git {args[0]}: {lines[0] if lines else 'failed without a word'}"


@contextmanager
def _streaming(args: Sequence[str], cwd: Path | str, stdin: bytes = b"") -> Iterator[Iterator[bytes]]:
    """Lines of git's output as they come: a patch may be larger than memory."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        with subprocess.Popen(
            ["git", *args], cwd=cwd, env=environment(), stdin=given, stdout=subprocess.PIPE, stderr=said
        ) as process:
            assert process.stdout is not None
            yield iter(process.stdout)
        if process.returncode:
            said.seek(0)
            raise GitError(_complaint(args, said.read()))


def _compare(args: Sequence[str], cwd: Path | str, stdin: bytes = b"") -> list[tuple[str, dict[str, Touched]]]:
    with _streaming(["-c", "core.quotePath=true", args[0], *_DIFF, *args[1:]], cwd, stdin) as lines:
        return list(read(lines))


# --- commits ------------------------------------------------------------------------------------------------


def commit_of(name: str, cwd: Path | str) -> str | None:
    """The full id of the commit a name stands for, None where there is none."""
    args = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    return run(args, cwd, codes=128).decode().strip() or None


def empty_tree(cwd: Path | str) -> str:
    """The id of the tree without files, in this repository's hash."""
    return run(["hash-object", "-t", "tree", "--stdin"], cwd).decode().strip()


def merge_base(a: str, b: str, cwd: Path | str) -> str | None:
    """A best common ancestor, None for histories that never met."""
    return run(["merge-base", a, b], cwd, codes=1).decode().split("\n", 1)[0] or None


# --- changes ------------------------------------------------------------------------------------------------


def staged(cwd: Path | str) -> list[Change]:
    """What the next commit would change, against HEAD, or against nothing for a first commit."""
    base = commit_of("HEAD", cwd) or empty_tree(cwd)
    found = _compare(["diff-index", "--cached", base, "--"], cwd)
    return [Change(path, seen.blob, seen.patch) for _, paths in found for path, seen in paths.items()]


def worktree_changes(cwd: Path | str) -> list[Change]:
    """What differs from HEAD in the working tree or the index, and what is new and not ignored.

    Nothing is hashed (blobs are empty, deletions apart): what is not staged is not attested, either.
    """
    return [Change(path, GONE if gone else "") for path, gone in dirty(cwd)]


def dirty(cwd: Path | str, *, apart: bool = False) -> list[tuple[str, bool]]:
    """Paths that differ from HEAD or are new and not ignored, each with whether it is gone from the working tree."""
    # A file taken out of the index but left in place shows twice; the second time says that it is there.
    return list(dict(read_status(run(status_args(), cwd, apart=apart))).items())


def status_args() -> list[str]:
    """The call whose output :func:`read_status` reads."""
    return ["status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=dirty"]


def read_status(output: bytes) -> Iterator[tuple[str, bool]]:
    """Porcelain v2 with NULs. An entry cut off at the end (the output was limited) is not there."""
    for entry in output.split(b"\0")[:-1]:
        kind, _, rest = entry.partition(b" ")
        if kind == b"?":
            yield text(rest), False
        elif kind in (b"1", b"u"):
            states, *fields = rest.split(b" ", 7 if kind == b"1" else 9)
            yield text(fields[-1]), b"D" in (states[1:2], states[:1])


def range_changes(a: str, b: str, cwd: Path | str, *, without: Sequence[str] = (), remote: str = "") -> list[Change]:
    """What the commits in ``a..b`` changed, as ``b`` has it, measured from where the two met.

    A path counts when a commit of the range touched it and the range as a whole changed it: what was reverted within
    it is left out. A merge counts for the paths where its result differs from every parent (a resolved conflict,
    or both sides in one file); what it took over whole belongs to the commits that made it. Its digest is taken
    against the first parent, as its pre-commit hook saw it. ``without`` are further commits whose history
    is no part of the range, as is what the branches of ``remote`` are known to have. ``a`` may be empty: everything up
    to ``b``.
    """
    tip = commit_of(b, cwd)
    start = commit_of(a, cwd) if a else None
    if tip is None or (a and start is None):
        missing = b if tip is None else a
        raise GitError(f"{missing} is not a commit here; in CI, fetch the whole history (fetch-depth: 0)")
    patches = _touches(tip, [start, *without] if start else without, remote, cwd)
    if not patches:
        return []
    base = (start and merge_base(start, tip, cwd)) or empty_tree(cwd)
    return [
        Change(path, seen.blob, seen.patch, tuple(patches[path]))
        for _, paths in _compare(["diff-tree", "-r", base, tip], cwd)
        for path, seen in paths.items()
        if path in patches
    ]


def _touches(tip: str, without: Sequence[str], remote: str, cwd: Path | str) -> dict[str, list[str]]:
    """The digests of the commits that touched each path, oldest first."""
    revisions = "\n".join([tip, *(f"^{commit}" for commit in without)]).encode()
    known = ["--not", f"--remotes={_literally(remote)}"] if remote else []
    args = ["rev-list", "--reverse", "--topo-order", "--parents", "--stdin", *known]
    family = [line.split() for line in run(args, cwd, stdin=revisions).decode().splitlines()]
    own = _merged_by_hand([line[0] for line in family if len(line) > 2], cwd)
    asked = "".join(f"{' '.join(line[:2])}\n" for line in family).encode()
    touches: dict[str, list[str]] = {}
    for commit, paths in _compare(["diff-tree", "-r", "--root", "--stdin"], cwd, asked):
        for path, seen in paths.items():
            if commit not in own or path in own[commit]:
                touches.setdefault(path, []).append(seen.patch)
    return touches


def commit_changes(commits: Sequence[str], cwd: Path | str) -> list[Change]:
    """What each of some commits changed against its first parent, in their order; a path may come several times."""
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    listed = run(["rev-list", "--no-walk=unsorted", "--parents", "--stdin"], cwd, stdin=asked)
    first = "".join(f"{' '.join(line.split()[:2])}\n" for line in listed.decode().splitlines()).encode()
    found = _compare(["diff-tree", "-r", "--root", "--stdin"], cwd, first)
    return [Change(path, seen.blob, seen.patch) for _, paths in found for path, seen in paths.items()]


def _literally(name: str) -> str:
    """A name in which a pattern's letters stand for themselves."""
    return "".join(f"\\{letter}" if letter in "*?[\\" else letter for letter in name)


def _merged_by_hand(merges: list[str], cwd: Path | str) -> dict[str, set[str]]:
    """For each merge, the paths that are as in none of its parents."""
    found: dict[str, set[str]] = {merge: set() for merge in merges}
    if merges:
        args = ["diff-tree", "-r", "-c", "--name-only", "--no-renames", "--no-color", "--no-relative", "--stdin", "-z"]
        current = ""
        for name in run(args, cwd, stdin="".join(f"{merge}\n" for merge in merges).encode()).split(b"\0"):
            if (commit := name.decode("ascii", "replace").strip()) in found:
                current = commit
            elif name:
                found[current].add(text(name))
    return found


# --- paths --------------------------------------------------------------------------------------------------


def ignored(paths: Sequence[str], cwd: Path | str, *, apart: bool = False) -> set[str]:
    """Those of some paths (relative to ``cwd``) that git ignores and does not track. None where git cannot say."""
    if not paths:
        return set()
    try:
        asked = b"".join(octets(path) + b"\0" for path in paths)
        found = run(["check-ignore", "-z", "--stdin"], cwd, stdin=asked, apart=apart, codes=1)
    except GitError:
        return set()
    return {text(name) for name in found.split(b"\0") if name}

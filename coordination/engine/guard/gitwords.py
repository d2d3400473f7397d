"""What a git command does to the files, the index, the stash and HEAD that others in the same checkout stand on.

Rests on the manual pages of git 2.4x. Aliases are not known here, nor what a repository's own hooks do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from .calls import Call, Options, options
from .scope import Scope, known
from .types import HEAD, INDEX, STASH, WORKTREE

_GLOBAL_VALUED = frozenset({"-c", "--namespace", "--super-prefix", "--config-env", "--exec-path", "--attr-source"})
# A word that is a file rather than a branch: it says where it lies, or ends like a file and not like a version.
_ROOTED = re.compile(r"\.{1,2}(/.*)?|.*/|:.*")
_SUFFIX = re.compile(r"(.*/)?[^/]*\.[A-Za-z][A-Za-z0-9_]{0,9}")
_NAMES = frozenset(
    {
        "Makefile",
        "Dockerfile",
        "LICENSE",
        "README",
        "Gemfile",
        "Rakefile",
        "Procfile",
        "Justfile",
        "justfile",
        "Jenkinsfile",
    }
)
_VERSION = re.compile(r"(.*/)?v?\d+(\.\w+)*")


class _Git:
    """One git command: its own words, and the scope it runs in."""

    def __init__(self, call: Call, verb: str, args: list[str], scope: Scope) -> None:
        self.call, self.verb, self.args, self.scope = call, verb, args, scope

    def given(self, valued: str = "", long: tuple[str, ...] = ()) -> Options:
        """Its words, sorted."""
        return options(self.args, valued, long)

    def behind_dashes(self) -> list[str] | None:
        """The words behind `--`; None when there is none."""
        return self.args[self.args.index("--") + 1 :] if "--" in self.args else None

    def danger(self, what: str, paths: list[str] | None = None, verb: str = "") -> None:
        """Others may lose what they stand on."""
        self.scope.danger(f"git {verb or self.verb}", what, paths or [])

    def rewrites(self, paths: list[str]) -> None:
        """Files get another content; a whole folder is told by the danger."""
        for path in paths:
            # Patterns of git's own reach files that are not in the command: the danger makes it opaque.
            if not set(path) & set("*?") and path.rstrip("/") not in ("", ".", "..") and path[:1] != ":":
                self.scope.write(path)


def git(call: Call) -> None:
    """Reads a git command."""
    args, scope = list(call.args), call.scope.copy()
    while args and args[0].startswith("-"):
        word = args.pop(0)
        name, equals, value = word.partition("=")
        if word == "-C" and args:
            scope.enter(args.pop(0))
        elif name in ("--work-tree", "--git-dir"):
            folder = value if equals else args.pop(0) if args else ""
            # The folder that holds `.git` is the checkout, unless a work tree is named.
            scope.enter(folder if name == "--work-tree" else folder.rstrip("/").removesuffix(".git").rstrip("/") or ".")
        elif word in _GLOBAL_VALUED and args:
            args.pop(0)
    if args and (reads := _VERBS.get(args[0])):
        reads(_Git(call, args[0], args[1:], scope))


def _reset(it: _Git) -> None:
    given = it.given()
    for mode in ("hard", "merge", "keep"):
        if mode in given:
            it.danger(WORKTREE, verb=f"reset --{mode}")
            return
    if "soft" in given:
        it.danger(HEAD, verb="reset --soft")
        return
    paths = it.behind_dashes()
    if paths is None:
        words = [word for word in given.operands if word not in ("HEAD", "@")]
        paths = words[1:] if len(words) > 1 and not _is_file(words[0]) else [word for word in words if _is_file(word)]
        if words and not paths:
            it.danger(HEAD)
            return
    it.danger(INDEX, paths)


def _checkout(it: _Git) -> None:
    given = it.given("bB", ("orphan", "conflict", "pathspec-from-file"))
    for flag in ("b", "B", "orphan"):
        if flag in given:
            it.danger(HEAD, verb=f"checkout -{'-' if len(flag) > 1 else ''}{flag}")
            return
    behind, before = it.behind_dashes(), given.operands
    if behind is not None:
        paths = behind
    elif len(before) > 1:
        # A tree and files of it, or files alone.
        paths = before if _is_file(before[0]) or not known(before[0]) else before[1:]
    else:
        paths = [word for word in before if _is_file(word)]
    if given.any("pathspec-from-file", "p", "patch"):
        it.danger(WORKTREE)
        it.scope.found.opaque = True
    elif paths:
        it.rewrites(paths)
        it.danger(WORKTREE, paths)
    elif given.any("f", "force"):
        it.danger(WORKTREE, verb="checkout -f")
    elif before or given.any("d", "detach", "t", "track"):
        it.danger(HEAD)


def _switch(it: _Git) -> None:
    given = it.given("cC", ("create", "force-create", "orphan"))
    if given.any("f", "force", "discard-changes"):
        it.danger(WORKTREE, verb="switch -f")
    elif given.operands or given.values:
        it.danger(HEAD)


def _restore(it: _Git) -> None:
    given = it.given("s", ("source", "pathspec-from-file", "conflict"))
    staged, worktree = given.any("S", "staged"), given.any("W", "worktree")
    if given.any("pathspec-from-file", "p", "patch"):
        it.scope.found.opaque = True
    if staged and not worktree:
        it.danger(INDEX, given.operands, "restore --staged")
        return
    it.rewrites(given.operands)
    it.danger(WORKTREE, given.operands)


def _stash(it: _Git) -> None:
    does = it.args[0] if it.args and not it.args[0].startswith("-") else "push"
    if does in ("list", "show", "create", "store"):
        return
    if does not in ("push", "save", "pop", "apply", "drop", "clear", "branch"):
        return
    given = options(it.args[1:] if it.args[:1] == [does] else it.args, "m", ("message", "pathspec-from-file"))
    it.danger(STASH, given.operands if does == "push" else [], f"stash {does}")
    if does == "branch":
        it.danger(HEAD, verb="stash branch")


def _clean(it: _Git) -> None:
    given = it.given("e", ("exclude",))
    if given.any("f", "force", "i", "interactive") and not given.any("n", "dry-run"):
        it.danger(WORKTREE, given.operands, "clean -f")


def _remove(it: _Git) -> None:
    given = it.given(long=("pathspec-from-file",))
    if given.any("n", "dry-run"):
        return
    for path in given.operands:
        if set(path) & set("*?["):
            it.scope.found.opaque = True
        else:
            it.scope.delete(path)


def _move(it: _Git) -> None:
    given = it.given()
    if not given.any("n", "dry-run"):
        it.call.other(["mv", "--", *given.operands], it.scope)


def _opaque(it: _Git) -> None:
    if not it.given().any("check", "stat", "numstat", "summary", "cached"):
        it.scope.found.opaque = True


def _head(it: _Git) -> None:
    """Commands that walk HEAD about: a rebase, a bisection."""
    words = it.given().operands
    if it.verb == "bisect" and words[:1] in (["log"], ["view"], ["visualize"], ["terms"], ["help"], []):
        return
    if it.verb == "rebase" and it.given().any("show-current-patch", "edit-todo"):
        return
    it.danger(HEAD)


def _aborted(it: _Git) -> None:
    """A merge and its like: to give it up throws away what was done since."""
    for flag in ("abort", "quit", "skip"):
        if flag in it.given() and flag != "quit":
            it.danger(WORKTREE, verb=f"{it.verb} --{flag}")


def _pull(it: _Git) -> None:
    rebase = it.given("r", ()).values
    if rebase.get("rebase", "no") not in ("no", "false") or "r" in rebase:
        it.danger(HEAD, verb="pull --rebase")


def _worktree(it: _Git) -> None:
    words = it.given().operands
    if words[:1] in (["remove"], ["move"]) and len(words) > 1:
        # All of the checkout that is named, not something in this one.
        it.scope.enter(words[1])
        it.danger(WORKTREE, verb=f"worktree {words[0]}")


def _read_tree(it: _Git) -> None:
    given = it.given()
    it.danger(WORKTREE if given.any("u", "reset") else INDEX)


def _checkout_index(it: _Git) -> None:
    given = it.given()
    if given.any("f", "force"):
        it.rewrites(given.operands)
        it.danger(WORKTREE, given.operands)


def _symbolic(it: _Git) -> None:
    if len(it.given("m").operands) > 1:
        it.danger(HEAD)


def _history(it: _Git) -> None:
    it.danger(HEAD)
    it.danger(WORKTREE)


def _sparse(it: _Git) -> None:
    if it.given().operands[:1] in (["set"], ["add"], ["reapply"], ["disable"], ["init"]):
        it.danger(WORKTREE)


def _format(it: _Git) -> None:
    given = it.given("o", ("output-directory", "output"))
    if it.verb == "archive":
        it.scope.write(given.values.get("o", given.values.get("output", "-")))
    elif "stdout" not in given:
        it.scope.found.opaque = True


def _diff(it: _Git) -> None:
    """`git diff --output=FILE` and its like."""
    it.scope.write(it.given(long=("output",)).values.get("output", "-"))


def _is_file(word: str) -> bool:
    if _ROOTED.fullmatch(word) or word.rpartition("/")[2] in _NAMES:
        return True
    return bool(_SUFFIX.fullmatch(word)) and not _VERSION.fullmatch(word)


_VERBS: Mapping[str, Callable[[_Git], None]] = MappingProxyType(
    {
        "reset": _reset,
        "checkout": _checkout,
        "switch": _switch,
        "restore": _restore,
        "stash": _stash,
        "clean": _clean,
        "rm": _remove,
        "mv": _move,
        "apply": _opaque,
        "rebase": _head,
        "bisect": _head,
        "am": _aborted,
        "merge": _aborted,
        "cherry-pick": _aborted,
        "revert": _aborted,
        "pull": _pull,
        "worktree": _worktree,
        "read-tree": _read_tree,
        "checkout-index": _checkout_index,
        "symbolic-ref": _symbolic,
        "filter-branch": _history,
        "filter-repo": _history,
        "sparse-checkout": _sparse,
        "format-patch": _format,
        "archive": _format,
        "diff": _diff,
        "show": _diff,
        "log": _diff,
    }
)

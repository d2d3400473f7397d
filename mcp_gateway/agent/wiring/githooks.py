"""Git hooks: where they lie, what is written there, and what becomes of a hook that was there before.

* `.git/hooks` (of the main repository: linked worktrees share it): our script. A hook that was there gets the name
  ``NAME.local`` and runs first; its refusal is the hook's.
* A folder inside the working tree, chosen by ``core.hooksPath`` (husky's ``.husky/_`` stands for ``.husky``): its
  files are tracked, so a block of ours is put into them, after a person agreed.
* A folder elsewhere, chosen by ``core.hooksPath`` for many repositories: never written to.

The script is for a POSIX shell, Git for Windows' included. It finds the command on the path, else by the interpreter
that `.interlock/local.env` names, and lets git go on, with one line, where there is none.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mcp_gateway.agent import git
from mcp_gateway.agent.repo import Checkout
from mcp_gateway.agent.wiring import blocks
from mcp_gateway.agent.wiring.blocks import HASH
from mcp_gateway.agent.wiring.edits import REFUSALS, Edit, Held, UnfitError
from mcp_gateway.agent.wiring.plan import SCRIPT, ByHand, Move, Plan
from mcp_gateway.agent.wiring.texts import read_text

NAMES = ("pre-commit", "prepare-commit-msg", "pre-push", "post-rewrite")
# These only write something down: git goes on whatever becomes of it.
_ADVISING = frozenset({"prepare-commit-msg", "post-rewrite"})
# Git writes to these; what reads it all leaves nothing for the next.
_FED = frozenset({"pre-push", "post-rewrite"})
_LATER = (".legacy", ".old")  # names that hook managers give a hook they found
_SHEBANG = re.compile(r"#!\s*\S*?(?:env\s+)?(?:\S*/)?(?:sh|bash|dash|zsh|ksh)\b")

_RUN = """\
interlock_run() {
  if command -v interlock >/dev/null 2>&1; then interlock "$@"; return; fi
  interlock_env="$(git rev-parse --git-common-dir 2>/dev/null)/../.interlock/local.env"
  interlock_python=$(sed -n 's/^[ ]*\\(export  *\\)\\{0,1\\}INTERLOCK_COMMAND *= *//p' "$interlock_env" \
    .interlock/local.env 2>/dev/null | tail -n 1 | tr -d '\\r"'"'")
  if [ -x "$interlock_python" ]; then "$interlock_python" -P -m mcp_gateway.agent "$@"; return; fi
  echo "interlock is not installed here: HOOK was not checked (install it, then run interlock doctor)" >&2
}
"""
# `--probe` is the doctor's: it shall see our own part answer, and run nothing of others.
_CHAIN = """\
interlock_before="$(dirname "$0")/HOOK.local"
if [ "${1-}" != --probe ] && [ -x "$interlock_before" ]; then "$interlock_before" "$@" || exit $?; fi
"""
_CHAIN_FED = """\
interlock_before="$(dirname "$0")/HOOK.local"
if [ "${1-}" != --probe ] && [ -x "$interlock_before" ]; then
  printf '%s' "$interlock_lines" | "$interlock_before" "$@" || exit $?
fi
"""
# A substitution loses the last line ends; the x keeps them.
_FEED = "interlock_lines=$(cat; printf x); interlock_lines=${interlock_lines%x}\n"
_CALL = 'interlock_run git-hook HOOK "$@" || ELSE\n'
_CALL_FED = 'printf \'%s\' "$interlock_lines" | interlock_run git-hook HOOK "$@" || ELSE\n'
_GIVE_BACK = """\
if [ -n "$interlock_lines" ]; then
  exec <<INTERLOCK_LINES
$(printf '%s' "$interlock_lines")
INTERLOCK_LINES
else
  exec </dev/null
fi
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where git looks for hooks here.

    Attributes:
        folder: where a hook's script belongs.
        kind: ``git`` (shared by the worktrees), ``tracked`` (inside the working tree) or ``outside``.
        setting: ``core.hooksPath`` as it is set; empty where it is not.
    """

    folder: Path
    kind: str
    setting: str


def place(checkout: Checkout) -> Place:
    """Where git looks for hooks. Raises GitError."""
    setting = _line(["config", "--get", "core.hooksPath"], checkout, codes=1)
    asked = _line(["rev-parse", "--git-path", "hooks"], checkout)
    folder = Path(os.path.realpath(checkout.top / asked))
    if _within(folder, checkout.common_dir):
        return Place(folder, "git", setting)
    if _within(folder, checkout.top) or _within(folder, checkout.main):
        husky = folder.name == "_" and folder.parent.name == ".husky"
        return Place(folder.parent if husky else folder, "tracked", setting)
    return Place(folder, "outside", setting)


def script(name: str) -> str:
    """Our own script of a hook."""
    fed = name in _FED
    body = (_FEED + _CHAIN_FED + _RUN + _CALL_FED) if fed else (_CHAIN + _RUN + _CALL)
    told = (
        "# Written by `interlock init`; `interlock init --remove` takes it out.\n"
        f"# The hook that was here before is {name}.local; it runs first.\n"
    )
    return blocks.put("#!/bin/sh\n", HASH, told + _filled(body, name)).replace("#!/bin/sh\n\n", "#!/bin/sh\n")


def lines(name: str) -> str:
    """Our lines in a hook of others: after theirs, except where they would read what git writes to it."""
    body = (_FEED + _RUN + _CALL_FED + _GIVE_BACK) if name in _FED else (_RUN + _CALL)
    return _filled(body, name)


def probe(path: Path, name: str) -> list[str] | None:
    """The command that makes our part of a hook answer, and nothing else; None where it cannot be told apart."""
    block = blocks.held(read_text(path) or "", HASH)
    if block is None:
        return None
    if block != blocks.held(script(name), HASH):
        return ["sh", "-c", block, str(path), "--probe"]
    # Windows starts no script by its first line; git brings its own shell.
    return ["git", "hook", "run", name, "--", "--probe"] if os.name == "nt" else [str(path), "--probe"]


def by_hand(name: str) -> str:
    """The line for a person to put into a hook."""
    return _filled('interlock git-hook HOOK "$@" || ELSE', name)


def _filled(text: str, name: str) -> str:
    return text.replace("HOOK", name).replace("ELSE", ":" if name in _ADVISING else "exit $?")


def edit(folder: Path, top: Path, name: str) -> Edit:
    """The edit of a tracked hook."""
    body = lines(name)

    def put(text: str) -> str:
        first = text.split("\n", 1)[0]
        if first.startswith("#!") and not _SHEBANG.match(first):
            raise UnfitError("it is no shell script")
        return blocks.put(text or "#!/bin/sh\n", HASH, body, first=name in _FED)

    def take(text: str) -> str:
        return blocks.take(text, HASH)

    def bare(text: str) -> bool:
        return text.strip() in ("", "#!/bin/sh")

    return Edit((folder / name).relative_to(top).as_posix(), "git hook", put, take, by_hand(name), "", bare)


def put(plan: Plan, checkout: Checkout, where: Place, *, consent: bool) -> None:
    """Plan our hooks. What must be left to a person is said there."""
    for name in NAMES:
        path = where.folder / name
        if where.kind == "git":
            _own(plan, path)
        elif where.kind == "tracked" and consent:
            top = checkout.top if _within(where.folder, checkout.top) else checkout.main
            plan.put(top, edit(where.folder, top, name))
            _executable(plan, path)
        elif held(path, name) is Held.NOTHING:
            why = "it is tracked: say --yes to have it edited" if where.kind == "tracked" else "it serves others, too"
            plan.by_hand.append(ByHand(path, why, by_hand(name)))


def take(plan: Plan, checkout: Checkout, where: Place) -> None:
    """Plan our hooks out, and those that were there before back to their names."""
    for name in NAMES:
        path = where.folder / name
        if where.kind == "tracked":
            top = checkout.top if _within(where.folder, checkout.top) else checkout.main
            plan.take(top, edit(where.folder, top, name))
    folder = checkout.common_dir / "hooks"
    for name in NAMES:
        path, before = folder / name, folder / f"{name}.local"
        if path.is_symlink() or held(path, name) is Held.NOTHING:
            continue
        ours = edit(folder, folder, name)
        if os.path.lexists(before) and ours.bare(ours.take(read_text(path) or "")):
            plan.moves.append(Move(before, path, covered=path.read_bytes()))
        else:
            plan.take(folder, ours)


def standing(path: Path) -> Path | None:
    """The file that calls us for a hook: itself, or where a hook manager that came later has put ours."""
    for candidate in (path, *(path.with_name(path.name + ending) for ending in _LATER)):
        if held(candidate, path.name) is not Held.NOTHING:
            return candidate
    return None


def held(path: Path, name: str) -> Held:
    """What a file has of our hook of a name; a line a person wrote that calls us counts."""
    try:
        text = read_text(path) or ""
        block = blocks.held(text, HASH)
    except REFUSALS:
        return Held.DIFFERS
    if block is None:
        return Held.CURRENT if f"interlock git-hook {name}" in text else Held.NOTHING
    return Held.CURRENT if block in (blocks.held(script(name), HASH), lines(name)) else Held.DIFFERS


def _own(plan: Plan, path: Path) -> None:
    name, before = path.name, path.with_name(f"{path.name}.local")
    try:
        there = None if path.is_symlink() else read_text(path)
        foreign = os.path.lexists(path) and (there is None or held(path, name) is Held.NOTHING)
        if foreign and standing(path) not in (None, path):
            return  # a hook manager runs ours after its own
        if foreign and os.path.lexists(before):
            raise UnfitError(f"{before.name} is there already, so the hook that is here cannot get that name")
        if foreign:
            plan.moves.append(Move(path, before))
            plan.fresh(path, script(name).encode(), "git hook", SCRIPT)
        else:
            plan.write(path, script(name).encode(), "git hook", SCRIPT)
    except REFUSALS as error:
        plan.by_hand.append(ByHand(path, str(error), by_hand(name)))


def _executable(plan: Plan, path: Path) -> None:
    try:
        found = plan.file(path)
    except UnfitError:
        return
    if found.before is None and found.after is not None:
        found.mode = SCRIPT


def _within(path: Path, folder: Path) -> bool:
    real = Path(os.path.realpath(folder))
    return path == real or real in path.parents


def _line(args: list[str], checkout: Checkout, codes: int = 0) -> str:
    return os.fsdecode(git.run(args, checkout.top, apart=True, codes=codes)).removesuffix("\n")

"""The plan of a wiring, of its removal, and of what to record about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcp_gateway.agent.git import GitError
from mcp_gateway.agent.repo import Checkout
from mcp_gateway.agent.settings import FILE, FOLDER
from mcp_gateway.agent.wiring import blocks, githooks, localenv, record
from mcp_gateway.agent.wiring.blocks import HASH
from mcp_gateway.agent.wiring.edits import REFUSALS, Held, UnfitError, block
from mcp_gateway.agent.wiring.plan import SECRET, ByHand, File, Plan
from mcp_gateway.agent.wiring.texts import decode, read_bytes, read_text
from mcp_gateway.agent.wiring.tool import Tool
from mcp_gateway.agent.wiring.tools import TOOLS, wired

IGNORE = block(".gitignore", "ignored folder", HASH, f"/{FOLDER}/\n")
_IGNORED = {f"{FOLDER}", f"{FOLDER}/", f"/{FOLDER}", f"/{FOLDER}/"}
# What others of our parts keep beside the settings, and what goes with them.
_KEPT = ("runs", "cache", "probe")


@dataclass(frozen=True, slots=True)
class Wiring:
    """What is wanted of a repository: which tools, how, and with which values for this machine.

    ``consent``: tracked git hooks may be edited. ``http``: tools ask the server themselves; those that do stay so.
    """

    checkout: Checkout
    tools: Sequence[Tool]
    values: Mapping[str, str]
    http: bool = False
    git_hooks: bool = True
    consent: bool = False


def wire(wanted: Wiring) -> Plan:
    """The plan that makes it so. Nothing is written yet."""
    checkout, plan = wanted.checkout, _plan(wanted.checkout)
    for tool in wanted.tools:
        for edit in tool.edits(checkout.top, http=wanted.http or _asks_over_http(tool, checkout.top)):
            plan.put(checkout.top, edit)
    if not _is_ignored(checkout.top):
        plan.put(checkout.top, IGNORE)
    if wanted.git_hooks:
        try:
            githooks.put(plan, checkout, githooks.place(checkout), consent=wanted.consent)
        except GitError as error:
            plan.by_hand.append(ByHand(checkout.common_dir / "hooks", str(error), "run `interlock init` again"))
    _settings(plan, checkout, wanted.values)
    return plan


def unwire(checkout: Checkout, tools: Sequence[Tool] | None = None) -> Plan:
    """The plan that takes everything out again, or only what some tools have for themselves."""
    plan, kept = _plan(checkout), _kept(checkout)
    leaving = list(TOOLS.values()) if tools is None else list(tools)
    staying = [tool for tool in wired(checkout.top) if tool not in leaving] if tools is not None else []
    shared = {(edit.path, edit.what) for tool in staying for edit in tool.edits(checkout.top)}
    edits = [edit for tool in leaving for edit in tool.edits(checkout.top) if (edit.path, edit.what) not in shared]
    if tools is None:
        edits.append(IGNORE)
    for edit in edits:
        plan.take(checkout.top, edit)
    if tools is None:
        for found in plan.files.values():
            entry = kept.original(found.path, found.before)
            if entry is not None:
                found.after = entry.before
        _unhook(plan, checkout)
        _forget(plan, checkout)
    return plan


def apply(plan: Plan, checkout: Checkout, *, removing: bool = False) -> None:
    """Write a plan, and note what was there before. Raises ChangedError, OSError; then nothing was written."""
    home = checkout.main / FOLDER
    kept = _kept(checkout)
    for found in plan.changes:
        if found.mode is None:
            kept.note(found.path, found.before, found.after)
    kept.folders += [str(at) for at in plan.folders() if at != home and str(at) not in kept.folders]
    if not removing and plan.changes:
        plan.write(home / record.NAME, kept.dump(), "record for removal", SECRET)
    plan.apply()
    if removing:
        _sweep(checkout, kept)


def settings_file(checkout: Checkout) -> Path:
    """Where the values for this machine are kept: in the main worktree, for all of them."""
    return checkout.main / FOLDER / FILE


def _plan(checkout: Checkout) -> Plan:
    return Plan([checkout.top, checkout.main, checkout.common_dir])


def _asks_over_http(tool: Tool, top: Path) -> bool:
    """Whether the tool was wired to ask the server itself; that stays so until it is unwired."""
    edit = tool.server(http=True)
    try:
        text = read_text(top / edit.path)
        return tool.http is not None and text is not None and edit.held(text) is Held.CURRENT
    except REFUSALS:
        return False


def _is_ignored(top: Path) -> bool:
    """Whether a person has put it there; our own block is always put right."""
    try:
        text = read_text(top / ".gitignore") or ""
        return any(line.strip() in _IGNORED for line in blocks.take(text, HASH).splitlines())
    except REFUSALS:
        return False


def _settings(plan: Plan, checkout: Checkout, values: Mapping[str, str]) -> None:
    path = settings_file(checkout)
    found = plan.file(path)
    text = decode(found.before or b"")
    plan.write(path, localenv.put(text, values).encode(), "settings of this machine", SECRET)
    ignore = path.with_name(".gitignore")
    if read_bytes(ignore) is None:
        plan.write(ignore, b"*\n", "keeps the folder out of git", 0o644)


def _kept(checkout: Checkout) -> record.Record:
    try:
        return record.parse(read_bytes(checkout.main / FOLDER / record.NAME))
    except UnfitError:
        return record.Record()


def _unhook(plan: Plan, checkout: Checkout) -> None:
    try:
        githooks.take(plan, checkout, githooks.place(checkout))
    except (GitError, *REFUSALS) as error:
        plan.by_hand.append(ByHand(checkout.common_dir / "hooks", str(error), "take our hooks out"))


def _forget(plan: Plan, checkout: Checkout) -> None:
    """Plan what is below `.interlock/` away: the token, the record; lines of others in the settings stay."""
    path = settings_file(checkout)
    found = plan.file(path)
    if found.before is not None:
        left = localenv.take(decode(found.before))
        plan.write(path, left.encode() if left.strip() else None, "settings of this machine", SECRET)
    plan.write(checkout.main / FOLDER / record.NAME, None, "record for removal")
    if found.after is None:
        plan.write(path.with_name(".gitignore"), None, "keeps the folder out of git")


def _sweep(checkout: Checkout, kept: record.Record) -> None:
    """Take away what runs left beside the settings, and the folders that were made and are empty."""
    home = checkout.main / FOLDER
    if not settings_file(checkout).exists():
        for name in _KEPT:
            _empty(home / name)
    for folder in [str(home), *sorted(kept.folders, key=len, reverse=True)]:
        try:
            Path(folder).rmdir()
        except OSError:
            continue  # something of others is in it, or it is gone already


def _empty(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_file() or path.is_symlink():
            path.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        return


def lines(plan: Plan, top: Path) -> list[tuple[str, str, str]]:
    """(what happens, path, what it holds) for each file and move, in the order of the plan."""
    told = [("moved", _shown(move.source, top), f"now {move.target.name}") for move in plan.moves]
    files = [found for found in plan.files.values() if found.whats and (found.before, found.after) != (None, None)]
    return told + [(_happens(found), _shown(found.path, top), ", ".join(found.whats)) for found in files]


def _happens(found: File) -> str:
    if not found.changed:
        return "kept"
    if found.after is None:
        return "removed"
    return "created" if found.before is None else "changed"


def _shown(path: Path, top: Path) -> str:
    try:
        return path.relative_to(top.resolve()).as_posix()
    except ValueError:
        return str(path)

"""What `interlock init` writes: is it there, is it as it should be, does anything switch it off."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcp_gateway.agent.doctor.base import Check, Desk, State, Verdict, fail, ok, warn
from mcp_gateway.agent.settings import is_placeholder
from mcp_gateway.agent.wiring import codex, githooks, jsonedit
from mcp_gateway.agent.wiring.edits import REFUSALS, Edit, Held
from mcp_gateway.agent.wiring.githooks import Place
from mcp_gateway.agent.wiring.texts import read_text
from mcp_gateway.agent.wiring.tool import Tool

_INIT = "interlock init"
_FIX = "interlock doctor --fix"
# What an entry that asks over HTTP has put in from the environment.
_ASKED = ("INTERLOCK_URL", "INTERLOCK_PROJECT", "INTERLOCK_TOKEN")


def tools(desk: Desk) -> Verdict:
    """Whether any tool is wired."""
    if not desk.tools:
        return fail("no tool is wired here: nothing asks before it edits", f"{_INIT} --tool claude|codex|cursor|gemini")
    return ok(", ".join(tool.title for tool in desk.tools))


def servers(desk: Desk) -> Iterator[Verdict]:
    """The MCP server of each tool."""
    for tool in desk.tools:
        plain = _look(desk, tool, tool.server())
        over_http = _look(desk, tool, tool.server(http=True)) if tool.http else plain
        if over_http.state is not State.OK or over_http is plain:
            yield plain
            continue
        missing = [name for name in _ASKED if is_placeholder(desk.env.get(name) or "set-me")]
        if missing:
            mend = "export them where the tool is started, or take the tool out and wire it without --http"
            yield warn(f"{tool.servers} needs {', '.join(missing)} in the tool's environment", mend, tool.name)
        else:
            yield over_http


def hooks(desk: Desk) -> Iterator[Verdict]:
    """The hooks of each tool. Codex takes those of the main worktree, wherever it runs."""
    for tool in desk.tools:
        top = desk.checkout.main if tool is codex.CODEX else desk.checkout.top
        off = _switched_off(tool, top)
        yield fail(off[0], off[1], tool.name) if off else _look(desk, tool, tool.hooking(), top)


def protocols(desk: Desk) -> Iterator[Verdict]:
    """What each tool is told."""
    for tool in desk.tools:
        found = _look(desk, tool, tool.telling(desk.checkout.top))
        yield warn(found.detail, found.mend, tool.name) if found.state is State.FAIL else found


def git_hooks(desk: Desk) -> Iterator[Verdict]:
    """Git's hooks: where git looks for them, in force, ours, in each place of them."""
    where = githooks.place(desk.checkout)
    desk.facts["hooks"] = where
    for name in githooks.NAMES:
        yield _git_hook(desk, where, name)


def _git_hook(desk: Desk, where: Place, name: str) -> Verdict:
    standing = githooks.standing(where.folder / name)
    if standing is None:
        shadowed = where.kind != "git" and githooks.standing(desk.checkout.common_dir / "hooks" / name)
        why = (
            f"core.hooksPath is {where.setting}, so git does not look into .git/hooks" if shadowed else "not installed"
        )
        mend = f"{_INIT} --yes" if where.kind == "tracked" else _INIT
        if where.kind == "outside":
            mend = f"add to {where.folder / name}: {githooks.by_hand(name)}"
        return warn(why, mend, name)
    if not os.access(standing, os.X_OK) and where.folder.name != ".husky":
        return fail(f"{standing} is not executable, so git skips it", f"chmod +x {standing}", name)
    if githooks.held(standing, name) is Held.DIFFERS:
        return warn(f"{standing} is not as this version writes it", _FIX, name)
    return ok(str(standing), name)


def _look(desk: Desk, tool: Tool, edit: Edit, top: Path | None = None) -> Verdict:
    path = (top or desk.checkout.top) / edit.path
    try:
        text = read_text(path)
        held = Held.NOTHING if text is None else edit.held(text)
    except REFUSALS as error:
        return fail(f"{path}: {error}", f"add by hand: {_one_line(edit.by_hand)}", tool.name)
    if held is Held.NOTHING:
        return fail(f"{edit.path} has no {edit.what} of ours", _FIX, tool.name)
    if held is Held.DIFFERS:
        return warn(f"{edit.path} is not as this version writes it ({edit.what})", _FIX, tool.name)
    trusted = ", once trusted in Codex (/hooks)" if tool is codex.CODEX and edit.what == "hooks" else ""
    return ok(edit.path + trusted, tool.name)


def _one_line(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text.replace("\n", "; ")


# --- switches that turn it all off --------------------------------------------------------------------------


def _switched_off(tool: Tool, top: Path) -> tuple[str, str] | None:
    """(what, mend) where a setting turns the tool's hooks off."""
    if tool.name == "claude":
        files = [
            top / ".claude/settings.local.json",
            top / ".claude/settings.json",
            Path.home() / ".claude/settings.json",
        ]
        switch: tuple[str, ...] = ("disableAllHooks",)
        off: Any = True
    elif tool.name == "gemini":
        files = [top / ".gemini/settings.json", Path.home() / ".gemini/settings.json"]
        switch, off = ("hooksConfig", "enabled"), False
    elif tool.name == "codex":
        return _codex_off(top)
    else:
        return None
    for file in files:
        if _setting(file, switch) is off:
            return f"{'.'.join(switch)} in {file} turns hooks off", f"take `{'.'.join(switch)}` out of {file}"
    return None


def _codex_off(top: Path) -> tuple[str, str] | None:
    home = Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex")
    for file in (top / codex.CONFIG, home / "config.toml"):
        try:
            features = codex.read(read_text(file) or "").get("features", {})
        except REFUSALS:
            continue
        for name in ("hooks", "codex_hooks"):
            if isinstance(features, dict) and features.get(name) is False:
                return f"[features] {name} = false in {file} turns hooks off", f"take `{name}` out of {file}"
    return None


def _setting(file: Path, path: tuple[str, ...]) -> Any:
    try:
        return jsonedit.get(read_text(file) or "", path)
    except REFUSALS:
        return None


CHECKS = [
    Check("tools", "tools that are wired", tools, ("repository",)),
    Check("server", "MCP server", servers, ("tools",)),
    Check("hooks", "hooks", hooks, ("tools",)),
    Check("protocol", "protocol", protocols, ("tools",)),
    Check("githooks", "git hooks", git_hooks, ("repository",)),
]

"""Where the server is and who asks: the environment, then `.interlock/local.env`.

The file is read as data: `KEY=value` lines, comments, an optional `export `, one layer of quotes. It is found by
walking up from the working directory, and through the main worktree from a linked one. A real value of the
environment goes before the file's; a placeholder never counts, and is never sent anywhere.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mcp_gateway.agent.output import EXIT_AWAY, UserError
from mcp_gateway.agent.repo import Checkout, checkout_of, checkouts_around, real

FOLDER = ".interlock"
FILE = "local.env"
NAMES = ("INTERLOCK_URL", "INTERLOCK_TOKEN", "INTERLOCK_PROJECT", "INTERLOCK_AGENT", "INTERLOCK_REPOSITORY")
INSTANCE = "INTERLOCK_INSTANCE"

# What tracked files carry in the place of a value. Each counts as not said.
PLACEHOLDERS = frozenset(
    {"set-me", "changeme", "change-me", "your-token", "your-team/your-project", "team/project", "ilk_agent_set-me"}
)
_UNRESOLVED = re.compile(r"\$\{.*\}|\$[A-Z_]+|%[A-Z_]+%|<.*>|\{\{.*\}\}", re.DOTALL)
_EXAMPLE_HOST = re.compile(r"https?://([^/@]*\.)?example(\.com|\.org|\.net)?([:/].*)?", re.IGNORECASE)
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_SLUG = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_PROJECT = re.compile(f"({_SLUG})/({_SLUG})")
_AGENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9])?")
_TOKEN = re.compile(r"[\x21-\x7e]{8,512}")


class NotConfigured(UserError):
    """Something is not said yet, or not sensibly; the text names it and the way out."""

    def __init__(self, text: str) -> None:
        super().__init__(text, EXIT_AWAY)


@dataclass(frozen=True)
class Settings:
    """Where and who.

    Attributes:
        url: the server, without a trailing slash.
        token: the credential. Not shown: leave it out of whatever is printed.
        team: slug.
        project: slug.
        agent: the name that was chosen for runs here; empty when nobody did.
        repository: slug of the repository in the project; None for the project's default.
        file: the `local.env` that was read; None when the environment says everything.
        root: top of the main worktree; None outside of a checkout.
        checkout: the working tree that ground is relative to; None outside of any.
    """

    url: str
    token: str
    team: str
    project: str
    agent: str
    repository: str | None
    file: Path | None
    root: Path | None
    checkout: Checkout | None = None

    def __repr__(self) -> str:
        return f"Settings({self.url}, {self.team}/{self.project}, token {'set' if self.token else 'missing'})"


def load(start: Path | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """The settings that hold in `start` (default: the working directory). Raises NotConfigured."""
    checkout, file = workplace(start or Path.cwd())
    said = values(file, env)
    url = _url(said)
    token = said.get("INTERLOCK_TOKEN", "")
    if not token:
        raise NotConfigured(_missing("INTERLOCK_TOKEN", file))
    if not _TOKEN.fullmatch(token):
        raise NotConfigured("INTERLOCK_TOKEN has characters that no token has: copy it again, it looks like ilk_…")
    project = _PROJECT.fullmatch(said.get("INTERLOCK_PROJECT", ""))
    if project is None:
        if said.get("INTERLOCK_PROJECT"):
            raise NotConfigured(f"INTERLOCK_PROJECT is {said['INTERLOCK_PROJECT']!r}; it must read team/project")
        raise NotConfigured(_missing("INTERLOCK_PROJECT", file))
    agent = said.get("INTERLOCK_AGENT", "")
    if agent and not _AGENT.fullmatch(agent):
        raise NotConfigured(f"INTERLOCK_AGENT is {agent!r}; a name has letters, digits, and . _ - within, at most 80")
    return Settings(
        url=url,
        token=token,
        team=project[1],
        project=project[2],
        agent=agent,
        repository=said.get("INTERLOCK_REPOSITORY") or None,
        file=file,
        root=checkout.main if checkout else None,
        checkout=checkout,
    )


def workplace(start: Path) -> tuple[Checkout | None, Path | None]:
    """(the checkout that ground is relative to, the `local.env` that holds) for a directory.

    A checkout within a wired one (a submodule, a vendored clone) that has no file of its own is a part of that one.
    """
    inner = checkout_of(start)
    for checkout in checkouts_around(start):
        below = _between(real(start), checkout.top)
        for folder in (*below, checkout.top, checkout.main):
            file = _file_in(folder)
            if file is not None:
                return checkout, file
    outside = real(start) if inner is None else inner.top
    return inner, next((f for folder in (outside, *outside.parents) if (f := _file_in(folder))), None)


def values(file: Path | None, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What is said, by name: real values of the environment, else of the file. Placeholders count as not said."""
    told = read(file) if file else {}
    found = {}
    for name in NAMES:
        for value in (env.get(name, "").strip(), told.get(name, "").strip()):
            if value and not is_placeholder(value):
                found[name] = value
                break
    return found


def is_placeholder(value: str) -> bool:
    """Whether a value only stands where a real one belongs."""
    text = value.strip()
    if text.lower() in PLACEHOLDERS or "set-me" in text.lower():
        return True
    return bool(_UNRESOLVED.search(text) or _EXAMPLE_HOST.fullmatch(text))


def read(file: Path) -> dict[str, str]:
    """The assignments of a `local.env`; the last one of a name counts. A file that cannot be read has none."""
    try:
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return {}
    return dict(_assignments(text))


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        found = _LINE.fullmatch(line.rstrip())
        if found is None:
            continue  # blank, a comment, or nothing that is an assignment
        name, value = found[1], found[2]
        if value[:1] in ("'", '"') and (end := value.find(value[0], 1)) > 0:
            value = value[1:end]
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].strip()
        yield name, value


def _between(start: Path, top: Path) -> list[Path]:
    """The directories from `start` up to, but without, `top`."""
    return [folder for folder in (start, *start.parents) if folder != top and top in folder.parents]


def _file_in(folder: Path) -> Path | None:
    """The `local.env` in a directory. Another user's is none: it would choose where we send things."""
    file = folder / FOLDER / FILE
    try:
        owner = file.stat().st_uid
    except OSError:
        return None
    if hasattr(os, "getuid") and owner not in (os.getuid(), 0) and os.getuid() != 0:
        return None
    return file if file.is_file() else None


def _url(said: Mapping[str, str]) -> str:
    url = said.get("INTERLOCK_URL", "").rstrip("/")
    if not url:
        raise NotConfigured(_missing("INTERLOCK_URL", None))
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
        raise NotConfigured("INTERLOCK_URL must read https://host or http://host:port, without user, query or fragment")
    return url


def _missing(name: str, file: Path | None) -> str:
    where = f" (looked in {file})" if file else ""
    return f"{name} is not set{where}. Run `interlock init`, or set it in the environment."

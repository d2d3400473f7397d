"""One spelling for a git remote, the one the server keeps: ``github.com/org/app``, however it was cloned."""

import re
from urllib.parse import unquote, urlsplit

_USUAL = {"ssh": 22, "git+ssh": 22, "ssh+git": 22, "https": 443, "http": 80, "git": 9418}
_FOLDING = frozenset({"github.com", "gitlab.com", "bitbucket.org"})
_BARE = re.compile(r"((?:[^@/:\s\[\]]+|\[[0-9a-fA-F:]+\])(?::\d+)?)/(.+)")
_SCP = re.compile(r"(?:[^@/\s]+@)?([^@/:\s]{2,}):(?!/{2})(.+)")


def normalise(text: str) -> str:
    """``host/path`` without credentials, usual port and ``.git``; empty for what is no address on a host."""
    found = _split(text.strip())
    if found is None:
        return ""
    host, path = found[0].lower(), re.sub(r"/{2,}", "/", found[1]).strip("/").removesuffix(".git").rstrip("/")
    if host.split(":")[0] in _FOLDING:
        path = path.lower()
    return f"{host}/{path}" if path and not {"", ".", ".."} & set(path.split("/")) else ""


def _split(text: str) -> tuple[str, str] | None:
    if "://" in text:
        return _split_url(text)
    found = _BARE.fullmatch(text) or _SCP.fullmatch(text)
    return (found[1], found[2]) if found and not text.startswith((".", "/", "~")) else None


def _split_url(text: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    usual = _USUAL.get(parts.scheme)
    if usual is None or not host:
        return None
    host = f"[{host}]" if ":" in host else host
    return (host if port in (None, usual) else f"{host}:{port}"), unquote(parts.path)

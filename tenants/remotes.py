"""One spelling for a git remote, whatever it was cloned by: ``github.com/org/app`` (claims.md, "Words").

Two agents that cloned by ssh and by https must mean the same repository. Credentials in the address are
dropped before anything is stored.
"""

import re
from urllib.parse import unquote, urlsplit

from tenants.problems import Problem, invalid

_SCHEMES = {"ssh": 22, "git+ssh": 22, "ssh+git": 22, "https": 443, "http": 80, "git": 9418}
_SCP = re.compile(r"(?:[^@/\s]+@)?([^@/:\s]{2,}):(?!/{2})(.+)", re.DOTALL)
# The form we store, which must be taken back as it is; a host without a dot is a name inside some network.
_BARE = re.compile(r"((?:[^@/:\s\[\]]+|\[[0-9a-fA-F:]+\])(?::\d+)?)/(.+)", re.DOTALL)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?|\[[0-9a-f:]+\](?::\d{1,5})?")
_PATH = re.compile(r"[^\s\x00-\x1f\x7f]+")
# Hosts that take either case in paths, so that one repository has one spelling.
_FOLDING = frozenset({"github.com", "gitlab.com", "bitbucket.org"})
_LONGEST = 400


def remote_normalise(text: str, *, field: str = "remote") -> str:
    """``host/path`` of a git remote without credentials, port of the scheme, ``.git``; empty stays empty.

    Raises Problem ``invalid`` for what is no address of a repository on a host, such as a local path.
    """
    text = text.strip()
    if not text:
        return ""
    found = _split(text) if len(text) <= _LONGEST * 2 else None
    if found is not None:
        host, path = found[0].lower(), _tidy(found[1])
        if host.split(":")[0] in _FOLDING:
            path = path.lower()
        parts = path.split("/")
        fits = len(host) + len(path) < _LONGEST and _HOST.fullmatch(host) and _PATH.fullmatch(path)
        if fits and not {"", ".", ".."} & set(parts):
            return f"{host}/{path}"
    raise _bad(field)


def _split(text: str) -> tuple[str, str] | None:
    if "://" in text:
        return _split_url(text)
    if bare := _BARE.fullmatch(text):
        return bare[1], bare[2]
    if scp := _SCP.fullmatch(text):
        return scp[1], scp[2]
    return None


def _split_url(text: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    usual = _SCHEMES.get(parts.scheme)
    if usual is None or not host:
        return None
    if ":" in host:
        host = f"[{host}]"
    # Query and fragment go with the credentials: access tokens are found there, too.
    return (host if port in (None, usual) else f"{host}:{port}"), unquote(parts.path)


def _tidy(path: str) -> str:
    path = re.sub(r"/{2,}", "/", path).strip("/")
    return path.removesuffix(".git").rstrip("/")


def _bad(field: str) -> Problem:
    return invalid(
        field,
        "bad_remote",
        "The address git clones from, such as github.com/org/app or git@host:org/app.git.",
    )

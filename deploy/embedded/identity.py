"""As whom PostgreSQL runs: it refuses root, so root either maps itself to nobody, or becomes nobody."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.embedded.process import ServiceError

OWN = "own"
USER_NAMESPACE = "user-namespace"
NOBODY = "nobody"


@dataclass(frozen=True)
class Identity:
    """How to start a program that refuses root. ``uid`` owns its files, seen from outside."""

    mode: str
    uid: int
    gid: int

    def wrap(self, command: list[str]) -> list[str]:
        """The command line that starts ``command`` as this identity."""
        if self.mode != USER_NAMESPACE:
            return command
        # The mapped id must have a name inside: initdb looks it up. Files stay root's own, seen from outside.
        nobody = _nobody()
        return ["unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}", *command]

    def options(self) -> dict[str, Any]:
        """Further arguments for ``subprocess.Popen``."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.mode == NOBODY else {}

    def give(self, path: Path) -> None:
        """Makes the identity the owner of everything below ``path``. Refuses what is a third party's."""
        owner = path.lstat().st_uid
        if owner == self.uid:
            return
        if os.geteuid() != 0 or owner not in (0, _nobody().pw_uid):
            raise ServiceError(
                f"{path} belongs to user {_name(owner)}: start as that user, or choose another directory with --data"
            )
        os.chown(path, self.uid, self.gid)
        for folder, _, files in os.walk(path):
            os.chown(folder, self.uid, self.gid)
            for name in files:
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)


def choose(binaries: Path, directory: Path, preferred: str | None = None) -> tuple[Identity, Path]:
    """How to run PostgreSQL on this machine, and where its binaries are to be taken from.

    ``binaries`` is the installation's ``bin``; ``directory`` an existing directory of ours for its files;
    ``preferred`` the mode used last time. Raises ServiceError when no way works.
    """
    if os.geteuid() != 0:
        if _name(os.geteuid()) == str(os.geteuid()):
            raise ServiceError(
                f"user id {os.geteuid()} has no name on this machine, and PostgreSQL insists on one: "
                "start as a named user, or set DATABASE_URL and MIGRATE_DATABASE_URL"
            )
        return Identity(OWN, os.geteuid(), os.getegid()), binaries
    ways = {USER_NAMESPACE: _user_namespace, NOBODY: _as_nobody}
    for mode in sorted(ways, key=lambda mode: mode != preferred):
        if found := ways[mode](binaries, directory):
            return found
    raise ServiceError(
        "PostgreSQL refuses to run as root, and here root can neither use a user namespace nor run it as "
        f"nobody from {directory}: start as an ordinary user, choose a directory with --data that "
        "everybody may enter, or set DATABASE_URL and MIGRATE_DATABASE_URL"
    )


def _user_namespace(binaries: Path, directory: Path) -> tuple[Identity, Path] | None:
    identity = Identity(USER_NAMESPACE, 0, 0)
    return (identity, binaries) if shutil.which("unshare") and _runs(identity, binaries) else None


def _as_nobody(binaries: Path, directory: Path) -> tuple[Identity, Path] | None:
    nobody = _nobody()
    identity = Identity(NOBODY, nobody.pw_uid, nobody.pw_gid)
    # Only what is ours may be opened up: the data directory itself, never a home above it.
    for path in (directory, directory.parent):
        path.chmod(path.stat().st_mode | 0o011)
    if _runs(identity, binaries):
        return identity, binaries
    copy = directory / "binaries"
    if not (copy / "complete").exists():  # the environment lies below a private directory
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(binaries.parent, copy, symlinks=True)
        (copy / "complete").touch()
    return (identity, copy / "bin") if _runs(identity, copy / "bin") else None


def _runs(identity: Identity, binaries: Path) -> bool:
    command = identity.wrap([str(binaries / "postgres"), "--version"])
    try:
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False, **identity.options()
        )
    except OSError:  # not traversable for nobody, or setuid refused
        return False
    return done.returncode == 0


def _nobody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise ServiceError(
            "PostgreSQL refuses to run as root and this machine has no user nobody: start as an ordinary "
            "user, or set DATABASE_URL and MIGRATE_DATABASE_URL"
        ) from None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

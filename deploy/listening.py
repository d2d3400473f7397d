"""The one listening socket of `manage.py up`, and who has the port when it is taken."""

import contextlib
import errno
import os
import socket
from pathlib import Path

_BACKLOG = 1024


class PortTaken(RuntimeError):
    """The address cannot be listened on; the text says who has it and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket (IPv4); port 0 picks a free one.

    It is bound here and handed to the web processes, so that none of them can lose the port while it
    restarts. Raises PortTaken with the way out.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise PortTaken(_explain(host, port, error)) from None
    return listener


def _explain(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        who = _who_listens(port)
        taken = f"port {port} is taken by {who}" if who else f"port {port} is taken"
        return f"{taken}: stop that, or use --port with another number (0 picks a free one)"
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {port}: use --port with a number above 1023"
    reason = error.strerror or error
    return f"cannot listen on {host}:{port} ({reason}): check --host, an IPv4 address or a name of one"


def _who_listens(port: int) -> str:
    """The process that listens on a port, as far as this system lets us see it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):
            if any(os.readlink(link) in inodes for link in (folder / "fd").iterdir()):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"process {folder.name} ({command[:80]})"
    return ""

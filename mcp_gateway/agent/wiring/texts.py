"""Files of a repository as text, without losing a byte."""

from pathlib import Path

from mcp_gateway.agent.wiring.edits import UnfitError


def decode(content: bytes) -> str:
    """The text of a file; line ends and a byte order mark stay in it. Raises UnfitError."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise UnfitError("it is not UTF-8") from None


def read_bytes(path: Path) -> bytes | None:
    """What a file holds, None where there is none. Raises UnfitError for what is no readable file."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnfitError(f"it cannot be read ({error.strerror or error})") from None


def read_text(path: Path) -> str | None:
    """The text of a file, None where there is none. Raises UnfitError."""
    content = read_bytes(path)
    return None if content is None else decode(content)

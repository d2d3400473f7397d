"""Options that several commands share."""

import argparse
import re

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
MODES = ("exclusive", "shared", "read", "advisory")


def duration(text: str) -> int:
    """Seconds, from `90`, `30m`, `4h`, `1d`; refused by argparse when it is neither."""
    found = re.fullmatch(r"(\d{1,9})\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: say seconds, or 30m, 4h, 1d")
    return int(found[1]) * _UNITS[found[2]]


def mode(parser: argparse.ArgumentParser) -> None:
    """`--mode`."""
    parser.add_argument("--mode", choices=MODES, default="exclusive", help="how it is held (default: exclusive)")


def shape(parser: argparse.ArgumentParser) -> None:
    """`--exact` and `--tree`: how much a path means."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--exact", action="store_true", help="each path is one file, also where it does not exist yet")
    how.add_argument("--tree", action="store_true", help="each path is whatever lies below, also where it is a file")

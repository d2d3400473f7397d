"""Programs that copy, move, make or remove files: POSIX and GNU utilities, and the BSD forms of the same."""

from __future__ import annotations

import re

from .calls import Call, Options, Program, options
from .patches import diffed, patched
from .scope import UNKNOWN, known
from .types import HEAD

_MODE = re.compile(r"[ugoa]*[-+=][rwxXstugo,=+-]*|[0-7]{1,5}")
_REMOTE = re.compile(r"[^/]+:")


def _copied(call: Call, given: Options, *, moved: bool = False) -> None:
    """`cp a b`, `mv a b c dir`, `mv -t dir a b`: where the files end up, and that moved ones go away."""
    operands = list(given.operands)
    folder = given.values.get("t", given.values.get("target-directory"))
    if folder is None and len(operands) > 1:
        folder = operands.pop()
        if len(operands) == 1 and not folder.endswith("/") and folder not in (".", ".."):
            # Whether one that is there already is a folder is not to be seen from here.
            if moved:
                call.delete(*operands)
            call.write(folder)
            return
    if folder is None:
        return
    if moved:
        call.delete(*operands)
    call.into(folder, operands)


def copy(call: Call) -> None:
    """`cp`."""
    given = options(call.args, "tS", ("target-directory", "suffix", "sparse"))
    _copied(call, given)
    if given.any("r", "R", "a", "recursive", "archive") and given.operands:
        # What is below the copied folder has names that are not in the command.
        call.opaque()


def move(call: Call) -> None:
    """`mv`."""
    _copied(call, options(call.args, "tS", ("target-directory", "suffix")), moved=True)


def install(call: Call) -> None:
    """`install`: a copy, or with `-d` only folders."""
    given = options(call.args, "mogtS", ("mode", "owner", "group", "target-directory", "suffix"))
    if not given.any("d", "directory"):
        _copied(call, given)


def link(call: Call) -> None:
    """`ln`: the name that comes to be."""
    given = options(call.args, "tS", ("target-directory", "suffix"))
    if len(given.operands) == 1 and "t" not in given:
        call.into(".", given.operands)
    else:
        _copied(call, given)


def remove(call: Call) -> None:
    """`rm`, `rmdir`, `unlink`."""
    call.delete(*options(call.args).operands)


def shred(call: Call) -> None:
    """`shred`, which removes only when told to."""
    given = options(call.args, "ns", ("iterations", "size", "random-source"))
    for path in given.operands:
        call.scope.touch(path, "delete" if given.any("u", "remove") else "write")


def touch(call: Call) -> None:
    """`touch`."""
    call.write(*options(call.args, "drt", ("date", "reference", "time")).operands)


def truncate(call: Call) -> None:
    """`truncate`."""
    call.write(*options(call.args, "sro", ("size", "reference")).operands)


def tee(call: Call) -> None:
    """`tee`, `sponge`."""
    call.write(*options(call.args).operands)


def mode(call: Call) -> None:
    """`chmod`: git keeps whether a file may be run."""
    modes = [word for word in call.args if _MODE.fullmatch(word)][:1]
    rest = [word for word in call.args if not modes or word is not modes[0]]
    operands = options(rest, long=("reference",)).operands
    if modes or any(word.startswith("--reference") for word in call.args):
        call.write(*operands)


def convert(call: Call) -> None:
    """`dd`: the file behind `of=`."""
    for word in call.args:
        if word.startswith("of="):
            call.write(word[3:])


def sync(call: Call) -> None:
    """`rsync`, `scp`: a copy to this machine. Of folders, what is below them is not told."""
    valued = ("exclude", "include", "exclude-from", "include-from", "rsh", "files-from", "backup-dir", "port")
    given = options(call.args, "eBTfPiFoclS" if call.name == "scp" else "eBTf", valued)
    if len(given.operands) < 2 or given.any("n", "dry-run", "list-only") or _REMOTE.match(given.operands[-1]):
        return
    folders = given.any("r", "a", "R", "recursive", "archive", "delete", "files-from")
    if folders or any(source.endswith("/") for source in given.operands[:-1]):
        call.opaque()
        call.write(given.operands[-1])
    else:
        _copied(call, given)


def compress(call: Call) -> None:
    """`gzip` and its like: the file goes away, its packed form comes."""
    suffix = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "gunzip": "", "bunzip2": "", "unxz": ""}[call.name]
    given = options(call.args, "S", ("suffix",))
    if given.any("c", "stdout", "t", "test", "l", "list"):
        return
    unpacked = not suffix or given.any("d", "decompress")
    for path in given.operands:
        if not given.any("k", "keep"):
            call.delete(path)
        call.write(path.rpartition(".")[0] or UNKNOWN if unpacked else path + suffix)


def archive(call: Call) -> None:
    """`tar`, `unzip`, `zip`: an archive that is made is named, what comes out of one is not."""
    if call.name == "zip":
        call.write(*options(call.args, "xibn").operands[:1])
        return
    if call.name == "unzip":
        if not options(call.args, "dxP").any("l", "t", "p", "Z"):
            call.opaque()
        return
    words = call.args
    if words and not words[0].startswith("-"):
        words = ["-" + words[0], *words[1:]]
    given = options(words, "fCTXI", ("file", "directory", "exclude", "files-from", "strip-components"))
    if given.any("x", "extract", "get") and not given.any("O", "to-stdout"):
        call.opaque()
    elif given.any("c", "create", "r", "append", "u", "update"):
        call.write(given.values.get("f", given.values.get("file", "-")))


def fetch(call: Call) -> None:
    """`curl`, `wget`: the file that is asked for."""
    if call.name == "curl":
        given = options(call.args, "oHXdAbceFmuxKTrUCDEQtwyYz", ("output", "header", "data", "request", "user", "form"))
        target = given.values.get("o", given.values.get("output"))
        if target is not None:
            call.write(target)
        elif given.any("O", "remote-name", "J", "remote-header-name"):
            call.opaque()
        return
    given = options(call.args, "OPoaUtTewQADRI", ("output-document", "directory-prefix", "output-file", "header"))
    target = given.values.get("O", given.values.get("output-document"))
    if target is not None:
        call.write(target)
    elif not given.any("spider", "help", "version"):
        call.opaque()


def sort(call: Call) -> None:
    """`sort -o`."""
    given = options(call.args, "okStT", ("output", "key", "field-separator", "buffer-size", "temporary-directory"))
    call.write(given.values.get("o", given.values.get("output", "-")))


def split(call: Call) -> None:
    """`split`, `csplit`, `rename` and others that make up names."""
    call.opaque()


def find(call: Call) -> None:
    """`find`: what it hits is not in its words."""
    args, at = call.args, 0
    while at < len(args):
        word = args[at]
        at += 1
        if word == "-delete":
            call.opaque()
        elif word in ("-fprint", "-fprint0", "-fls", "-fprintf") and at < len(args):
            call.write(args[at])
        elif word in ("-exec", "-execdir", "-ok", "-okdir"):
            end = next((i for i in range(at, len(args)) if args[i] in (";", "+")), len(args))
            call.other([one.replace("{}", UNKNOWN) for one in args[at:end]])
            at = end


def each(call: Call) -> None:
    """`xargs`, `parallel`: a program is given words nobody sees here."""
    args = list(call.args)
    holder = ""
    while args and args[0].startswith("-"):
        word = args.pop(0)
        if word[:2] in ("-I", "-J") or word.startswith("--replace"):
            holder = word[2:] if word[1] != "-" else word.partition("=")[2]
            if not holder and word[1] != "-" and args:
                holder = args.pop(0)
        elif (
            word in ("-n", "-P", "-L", "-s", "-d", "-a", "-E", "-j", "--max-args", "--max-procs", "--delimiter")
            and args
        ):
            args.pop(0)
    if call.name == "parallel":
        holder = holder or "{}"
        args = args[: args.index(":::")] if ":::" in args else args
    if holder and any(holder in word for word in args):
        call.other([word.replace(holder, UNKNOWN) for word in args])
    else:
        call.other([*args, UNKNOWN] if args else [])


def hub(call: Call) -> None:
    """`gh pr checkout`."""
    if call.args[:2] in (["pr", "checkout"], ["pr", "co"]):
        call.scope.danger("gh pr checkout", HEAD)


def apply(call: Call) -> None:
    """`apply_patch`: the patch is a word, or comes in."""
    text = call.stdin if call.stdin is not None else "\n".join(call.args)
    touches = [touch for touch in patched(text) if known(touch.path)]
    for touched in touches:
        call.scope.touch(touched.path, touched.action)
    if not touches:
        call.opaque()


def patch(call: Call) -> None:
    """`patch`: the file it names, or those of a diff that is in the command."""
    given = options(call.args, "pioBdDFrVYz", ("strip", "input", "output", "directory", "reject-file"))
    if given.any("dry-run"):
        return
    if given.any("d", "directory"):
        call.opaque()
    elif target := given.values.get("o", given.values.get("output")):
        call.write(target)
    elif given.operands:
        call.write(given.operands[0])
    else:
        strip = given.values.get("p", given.values.get("strip", ""))
        touches = diffed(call.stdin, int(strip)) if call.stdin and re.fullmatch(r"\d{1,2}", strip) else None
        for touched in touches or ():
            call.scope.touch(touched.path, touched.action)
        if touches is None:
            call.opaque()


PROGRAMS: dict[str, Program] = {
    "cp": copy,
    "mv": move,
    "install": install,
    "ln": link,
    "rm": remove,
    "rmdir": remove,
    "unlink": remove,
    "trash": remove,
    "shred": shred,
    "touch": touch,
    "truncate": truncate,
    "tee": tee,
    "sponge": tee,
    "chmod": mode,
    "dd": convert,
    "rsync": sync,
    "scp": sync,
    "tar": archive,
    "bsdtar": archive,
    "zip": archive,
    "unzip": archive,
    "curl": fetch,
    "wget": fetch,
    "sort": sort,
    "split": split,
    "csplit": split,
    "rename": split,
    "find": find,
    "xargs": each,
    "parallel": each,
    "apply_patch": apply,
    "applypatch": apply,
    "patch": patch,
    "gh": hub,
    **dict.fromkeys(("gzip", "bzip2", "xz", "gunzip", "bunzip2", "unxz"), compress),
}

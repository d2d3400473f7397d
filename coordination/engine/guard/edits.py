"""Programs that rewrite files in place: stream editors, formatters, and interpreters with the code on their line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from .calls import Call, Options, Program, options
from .scope import UNKNOWN, known

# In an awk program: print to a file, or to a command.
_AWK_WRITES = re.compile(r"printf?\b[^;}\n]*(>|\|)|system\s*\(")
_BSD_SUFFIX = re.compile(r"\.[\w~]{1,10}")


def sed(call: Call) -> None:
    """`sed -i`, GNU (`-i.bak`) and BSD (`-i ''`, `-i .bak`)."""
    args, files, suffix = list(call.args), [], None
    script = False
    while args:
        word = args.pop(0)
        if word == "--":
            files += args
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name == "in-place":
                suffix = value
            elif name in ("expression", "file"):
                script = True
                args = args if equals else args[1:]
            elif name in ("line-length",) and not equals:
                args = args[1:]
        elif word.startswith("-") and word != "-":
            suffix, script, args = _sed_letters(word, suffix, script, args)
        else:
            files.append(word)
    if suffix is None:
        return
    if not script:
        files = files[1:]
    call.write(*files)
    if suffix and "*" not in suffix and known(suffix):
        call.write(*(path + suffix for path in files))


def _sed_letters(word: str, suffix: str | None, script: bool, args: list[str]) -> tuple[str | None, bool, list[str]]:
    for at, letter in enumerate(word[1:], 2):
        if letter in "iI" and not (letter == "I" and suffix is not None):
            suffix = word[at:]
            # BSD takes the next word as the suffix: empty, or one that can be no script.
            if not suffix and args and (not args[0] or _BSD_SUFFIX.fullmatch(args[0])):
                suffix, args = args[0], args[1:]
            return suffix, script, args
        if letter in "ef":
            return suffix, True, args if word[at:] else args[1:]
        if letter == "l":
            return suffix, script, args if word[at:] else args[1:]
    return suffix, script, args


def perl(call: Call) -> None:
    """`perl -pi -e`, `ruby -i -pe`: in place where told to, a filter with `-p`; other code can write anything."""
    args, files, code, suffix = list(call.args), [], False, None
    filters = False
    while args:
        word = args.pop(0)
        if word == "--" or not word.startswith("-") or word == "-":
            files = ([] if word == "--" else [word]) + args
            break
        for at, letter in enumerate(word[1:], 2):
            if letter == "i":
                suffix = word[at:]
                break
            if letter in "eE":
                code = True
                args = args if word[at:] else args[1:]
                break
            filters = filters or letter in "pn"
            if letter in "MmIxCF":
                args = args[1:] if letter in "MmI" and not word[at:] else args
                break
    if suffix is not None:
        files = files if code else files[1:]
        call.write(*files)
        if suffix and "*" not in suffix:
            call.write(*(path + suffix for path in files))
    elif (code and not filters) or (not code and not files and (call.stdin is not None or call.piped)):
        call.opaque()


def awk(call: Call) -> None:
    """`awk -i inplace`, and programs that print into files."""
    given = options(call.args, "fvFiE", ("file", "assign", "field-separator", "include"))
    programmed = given.any("f", "file", "E")
    files = given.operands if programmed else given.operands[1:]
    if given.values.get("i", given.values.get("include", "")) == "inplace":
        call.write(*files)
    elif not programmed and given.operands and _AWK_WRITES.search(given.operands[0]):
        call.opaque()


def interpreter(call: Call) -> None:
    """Python, Node and others: code on the line or from outside can write anything; a script is its own matter."""
    flags = {"node": ("e", "p", "eval", "print"), "php": ("r",), "osascript": ("e",)}
    code = flags.get(call.name, ("c", "e", "eval"))
    args = list(call.args)
    while args and args[0].startswith("-") and args[0] != "-":
        word = args.pop(0)
        name = word.lstrip("-").partition("=")[0]
        if call.name.startswith("python") and word == "-m":
            call.other(args)
            return
        if call.name.startswith("python") and word in ("-W", "-X"):
            args = args[1:]
        elif name in code or (not word.startswith("--") and name[-1:] in code and len(name) <= 3):
            call.opaque()
            return
    if (call.name == "deno" and args[:1] == ["eval"]) or (
        (not args or args[0] in ("-", "/dev/stdin")) and (call.stdin is not None or call.piped)
    ):
        call.opaque()


def editor(call: Call) -> None:
    """`ed`, `ex`, `vim`: the files they are called with."""
    valued = "p" if call.name == "ed" else "cSuiTt"
    call.write(*options([word for word in call.args if not word.startswith("+")], valued, ("cmd",)).operands)


def replace(call: Call) -> None:
    """`sd`: everything behind the pattern and its replacement."""
    given = options(call.args, "nf", ("max-replacements", "flags"))
    if not given.any("p", "preview"):
        call.write(*given.operands[2:])


def query(call: Call) -> None:
    """`yq -i`."""
    given = options(call.args, "opI", ("output-format", "input-format", "indent"))
    if given.any("i", "inplace", "in-place"):
        operands = given.operands[1:] if given.operands[:1] in (["eval"], ["e"]) else given.operands
        call.write(*(operands[1:] or [UNKNOWN]))


def lines(call: Call) -> None:
    """`dos2unix`, `unix2dos`."""
    call.write(*options(call.args).operands)


def always(call: Call) -> None:
    """Programs that rewrite files nobody names."""
    call.opaque()


Rule = Callable[[Options], "list[str] | None"]


def _formats(call: Call) -> None:
    given = options(
        call.args,
        "clts" if call.name in ("black", "isort", "yapf") else "c",
        (
            "config",
            "line-length",
            "target-version",
            "style",
            "profile",
            "parser",
            "ignore-path",
            "ext",
            "rulesdir",
            "edition",
        ),
        single=call.name in ("gofmt", "goimports", "gofumpt"),
    )
    named = _RULES[call.name](given)
    if named is None:
        return
    # A folder is no file: what is below it is rewritten, and has names that are not in the command.
    files = [path for path in named if not path.endswith("/") and path not in (".", "..") and _looks_like_a_file(path)]
    call.write(*files)
    if len(files) < len(named) or not named:
        call.opaque()


def _looks_like_a_file(path: str) -> bool:
    return known(path) and not set(path) & set("*?{") and "." in path.rsplit("/", 1)[-1].lstrip(".")


def _when(*flags: str) -> Rule:
    return lambda given: given.operands if given.any(*flags) else None


def _unless(*flags: str) -> Rule:
    return lambda given: None if given.any(*flags) else given.operands


def _ruff(given: Options) -> list[str] | None:
    does, *paths = given.operands or [""]
    if does == "format" and not given.any("check", "diff"):
        return paths
    return paths if does == "check" and given.any("fix", "fix-only") and "diff" not in given else None


def _biome(given: Options) -> list[str] | None:
    does, *paths = given.operands or [""]
    return paths if does in ("format", "check", "lint") and given.any("write", "fix", "apply", "apply-unsafe") else None


def _first(word: str, *not_with: str) -> Rule:
    return lambda given: given.operands[1:] if given.operands[:1] == [word] and not given.any(*not_with) else None


_HELP = ("help", "version", "h", "V")
_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "prettier": _when("write", "w"),
        "eslint": _when("fix"),
        "stylelint": _when("fix"),
        "oxlint": _when("fix"),
        "standard": _when("fix"),
        "biome": _biome,
        "ruff": _ruff,
        "black": _unless("check", "diff", *_HELP),
        "isort": _unless("c", "check-only", "check", "diff", "d", *_HELP),
        "autopep8": _when("i", "in-place"),
        "autoflake": _when("i", "in-place"),
        "yapf": _when("i", "in-place"),
        "gofmt": _when("w"),
        "goimports": _when("w"),
        "gofumpt": _when("w"),
        "rustfmt": _unless("check", *_HELP),
        "clang-format": _when("i"),
        "shfmt": _when("w", "write"),
        "rubocop": _when("a", "A", "autocorrect", "autocorrect-all"),
        "dprint": _first("fmt"),
        "terraform": _first("fmt", "check"),
        "taplo": _first("fmt", "check"),
        "deno-fmt": _unless("check"),
        "cargo-fmt": _unless("check"),
    }
)


FORMATTERS = frozenset(_RULES)


def _cargo(call: Call) -> None:
    does = call.args[:1]
    if (does == ["fmt"] and "--check" not in call.args) or does == ["fix"] or "--fix" in call.args:
        call.opaque()


def _go(call: Call) -> None:
    if call.args[:1] == ["fmt"] or call.args[:1] == ["generate"]:
        call.opaque()


_INTERPRETERS = (
    "python",
    "python2",
    "python3",
    "pypy3",
    "node",
    "nodejs",
    "deno",
    "bun",
    "php",
    "lua",
    "Rscript",
    "osascript",
)

PROGRAMS: dict[str, Program] = {
    "sed": sed,
    "gsed": sed,
    "perl": perl,
    "ruby": perl,
    "awk": awk,
    "gawk": awk,
    "mawk": awk,
    "ed": editor,
    "ex": editor,
    "vi": editor,
    "vim": editor,
    "nvim": editor,
    "sd": replace,
    "yq": query,
    "dos2unix": lines,
    "unix2dos": lines,
    "fastmod": always,
    "codemod": always,
    "cargo": _cargo,
    "go": _go,
    **dict.fromkeys(_INTERPRETERS, interpreter),
    **dict.fromkeys((f"python3.{minor}" for minor in range(6, 21)), interpreter),
    **dict.fromkeys(_RULES, _formats),
}

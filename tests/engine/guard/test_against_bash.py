"""The reader against the shell itself: whatever bash really changes is named, or the command is opaque.

Commands are run in a folder of their own, and name nothing outside of it.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from coordination.engine.guard.shell import read_command

_BASH = shutil.which("bash")
_GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}

_COMMANDS = [
    "echo x > new.txt",
    "echo x >> a.txt; echo y > 'b c.txt'",
    "cat <<'EOF' > new.txt && rm a.txt\nit's \" $(x)\nEOF",
    "cat <<EOF | tee new.txt > other.txt\n$HOME `echo x`\nEOF",
    "cat <<A <<B > new.txt\none\nA\ntwo\nB\nrm a.txt",
    "cd sub && rm one.txt; touch two.txt",
    "(cd sub && rm one.txt); touch two.txt",
    "cd sub || exit 1; mv one.txt ../moved.txt",
    "cd missing 2>/dev/null || cd sub; rm one.txt",
    "pushd sub >/dev/null; touch x; popd >/dev/null; touch y",
    "sed -i 's/a/b/' a.txt",
    "sed -i.bak -e 's/a/b/' a.txt b.txt",
    "for f in a b; do mv $f.txt $f.md; done",
    "for f in *.txt; do rm \"$f\"; done",
    "F=a.txt; G=$F; rm $G",
    "FILES='a.txt b.txt'; rm $FILES",
    "A=(a.txt b.txt); rm \"${A[@]}\"",
    "touch {x,y}{1..3}.md",
    "cp a.txt{,.bak}",
    "cp a.txt b.txt sub",
    "mv a.txt b.txt sub/",
    "rm -rf sub",
    "X=$(rm a.txt; echo b.txt); rm $X",
    "rm `echo a.txt`",
    "echo a.txt | xargs rm",
    "find . -name '*.txt' -delete",
    "find sub -name one.txt -exec rm {} \\;",
    "bash -c 'cd sub && rm one.txt'",
    "echo 'rm a.txt' | sh",
    "bash <<'S'\nrm a.txt\nS",
    "eval 'rm a.txt'",
    "f() { rm a.txt; }; f",
    "if [ -f a.txt ]; then rm a.txt; else touch z; fi",
    "case x in a|b) rm a.txt;; (x) rm b.txt;; esac",
    "while read f; do rm $f; done <<< a.txt",
    "{ echo 1; echo 2; } > both.txt",
    "[[ b > a ]] && rm a.txt",
    "(( 2 > 1 )) && rm a.txt",
    "echo $((2>1)) 2>err.txt 1>out.txt",
    "! true || rm a.txt",
    "true && { rm a.txt & wait; }",
    "tee one two < a.txt > /dev/null",
    "sort -o b.txt a.txt; dd if=a.txt of=dd.txt 2>/dev/null",
    "truncate -s 0 a.txt; ln -s a.txt link; chmod +x b.txt",
    "touch $'q\\x41' \"it's\" sp\\ ace '$x' \\$y",
    "cat a.txt \\\n > new.txt # > no.txt",
    "gzip a.txt; tar czf t.tgz sub",
    "env X=1 nice timeout 5 rm a.txt",
    "trap 'rm -f a.txt' EXIT; touch z",
    "export D=sub; rm \"$D/one.txt\"",
    "cd sub; touch \"$PWD/p\" \"$(pwd)/q\"; cd - >/dev/null; rm a.txt",
    "cat > new.txt < a.txt 2>&1; exec 3> fd.txt; echo x >&3",
    "printf 'x' >| a.txt; : > b.txt; > c.txt",
    "diff <(cat a.txt) <(cat b.txt) > d.txt; cat a.txt | tee >(cat > e.txt) >/dev/null",
    "git mv a.txt moved.txt; git rm -q b.txt",
    "echo x > a.txt; git checkout -q -- a.txt; git restore b.txt",
    "echo x > a.txt; git stash -q; git stash pop -q",
    "echo x > z; git add z; git clean -qfd; rm sub/one.txt; git reset -q --hard",
    "git checkout -q -b topic; rm a.txt; git checkout -q .",
    "perl -pi -e 's/a/b/' a.txt b.txt",
    "python3 -c \"open('made','w')\"",
    "awk '{print > \"made\"}' a.txt",
    "patch -s -p1 <<'P'\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a.txt\n+changed\nP",
    "echo safe | grep -q 'rm a.txt > b' && ls > /dev/null",
    "cat <<-E > new.txt\n\ttabbed\n\tE\nrm a.txt",
    "until rm a.txt; do :; done",
    "select x in; do :; done; touch z",
    "a=1 b=2 touch z; unset a; touch \"y$a\"",
    "time -p rm a.txt 2>/dev/null",
    "X=${X:-a.txt}; rm $X",
    "dir=sub; (cd \"$dir\"; for i in 1 2; do echo $i > n$i; done)",
    "rm ./sub/../a.txt; touch sub/./z",
]  # fmt: skip


def _tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but git's own, by its name: contents, where a link leads, and whether it may be run."""
    found = {}
    for path in folder.glob("**/*"):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(".git") and (path.is_symlink() or path.is_file()):
            told = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            found[name] = told + bytes([path.lstat().st_mode >> 6 & 1])
    return found


def _run(command: str, folder: Path) -> None:
    assert _BASH
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder / "home"), **_GIT}
    subprocess.run([_BASH, "-c", command], cwd=folder, env=environment, capture_output=True, timeout=30, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with `a.txt`, `b.txt` and `sub/one.txt` committed; each holds its name."""
    folder = tmp_path / "repo"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "sub/one.txt"):
        (folder / name).write_text(f"{name}\n")
    _run("git init -q && git add . && git -c user.name=t -c user.email=t@example.org commit -qm x", folder)
    return folder


@pytest.mark.skipif(_BASH is None, reason="bash is not on this machine")
@pytest.mark.parametrize("command", _COMMANDS, ids=lambda command: command[:50])
def test_what_bash_changes_is_named_or_the_command_is_opaque(command: str, checkout: Path) -> None:
    reading = read_command(command, str(checkout))
    before = _tree(checkout)
    _run(command, checkout)
    after = _tree(checkout)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    named = {
        str((checkout / touch.path).resolve().relative_to(checkout.resolve()))
        for touch in reading.touches
        if not (checkout / touch.path).is_symlink()
    }
    named |= {touch.path for touch in reading.touches}
    unnamed = {
        name for name in changed if not any(name == one or name.startswith(f"{one.rstrip('/')}/") for one in named)
    }
    assert not unnamed or reading.opaque or reading.dangers


def test_most_of_what_agents_write_is_not_opaque() -> None:
    # Or the test above would hold for a reader that reads nothing.
    assert sum(not read_command(command, "/repo").opaque for command in _COMMANDS) > 0.8 * len(_COMMANDS)

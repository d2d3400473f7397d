"""Completion: what the parsers know, in four shells' words."""

import shutil
import subprocess

import pytest

from mcp_gateway.agent import cli
from mcp_gateway.agent.completion import SHELLS, script


def complete(*words: str) -> set[str]:
    """What bash offers for the last word of a command line."""
    line = " ".join(f"'{word}'" for word in words)
    asked = f'COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _interlock; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script('bash')}\n{asked}"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.split())


bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@bash
def test_commands_options_and_their_values_are_completed() -> None:
    assert complete("interlock", "cla") == {"claim", "claims"}
    assert complete("interlock", "claim", "--wa") == {"--wait"}
    assert complete("interlock", "claim", "--mode", "") == {"exclusive", "shared", "read", "advisory"}
    assert complete("interlock", "queue", "can") == {"cancel"}
    assert complete("interlock", "completion", "") >= set(SHELLS)
    assert complete("interlock", "help", "doc") == {"doctor"}


@bash
def test_what_is_for_programs_is_not_offered() -> None:
    offered = complete("interlock", "")
    assert offered == {name for name, entry in cli.COMMANDS.items() if entry.group} | {"help", "--help", "--version"}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_names_every_listed_command_and_option(shell: str) -> None:
    text = script(shell)
    for name, entry in cli.COMMANDS.items():
        if entry.group:
            assert name in text
    assert "takeover-reason" in text


@pytest.mark.parametrize(
    ("shell", "command"),
    [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"]), ("powershell", ["pwsh"])],
)
def test_each_script_is_one_that_its_shell_can_read(shell: str, command: list[str], tmp_path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    file = tmp_path / "completion"
    file.write_text(script(shell))
    if shell == "powershell":
        command = ["pwsh", "-NoProfile", "-File"]
        file = file.rename(file.with_suffix(".ps1"))
    subprocess.run([*command, str(file)], check=True, capture_output=True)

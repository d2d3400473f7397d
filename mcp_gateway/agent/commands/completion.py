"""`interlock completion`: what shells complete by."""

from argparse import ArgumentParser, Namespace

from mcp_gateway.agent import completion
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_YES

HELP = "completion for bash, zsh, fish or powershell"
ABOUT = """\
completion for bash, zsh, fish or powershell.

  bash        eval "$(interlock completion bash)"
  zsh         source <(interlock completion zsh)
  fish        interlock completion fish | source
  powershell  interlock completion powershell | Out-String | Invoke-Expression
"""


def arguments(parser: ArgumentParser) -> None:
    """For which shell."""
    parser.add_argument("shell", choices=completion.SHELLS, help="whose words to use")


def run(args: Namespace, context: Context) -> int:
    """Print the script."""
    print(completion.script(args.shell), end="")
    return EXIT_YES

"""`interlock check`: would this ground be free? Changes nothing."""

from argparse import ArgumentParser, Namespace

from mcp_gateway.agent import ground, options, wording
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_NO, EXIT_YES, as_json, say

HELP = "whether paths are free; changes nothing"


def arguments(parser: ArgumentParser) -> None:
    """As those of `claim`."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, directory, pattern, or kind:name")
    options.mode(parser)
    options.shape(parser)


def run(args: Namespace, context: Context) -> int:
    """0 when a claim would be granted now, 1 when not, with what stands in the way."""
    paths = [
        ground.pattern(path, context.checkout, context.cwd, exact=args.exact, tree=args.tree) for path in args.paths
    ]
    body = {"paths": paths, "mode": args.mode}
    if context.settings.repository:
        body["repository"] = context.settings.repository
    verdict = context.call("POST", "claims/check", body).body
    if context.json:
        as_json(verdict)
    elif verdict["free"]:
        say("free")
        if verdict["coexists_with"]:
            say(f"note: others are here as well: {wording.listed(verdict['coexists_with'])}")
        if verdict["would_take_over"]:
            say(f"note: a claim would take over from {wording.listed(verdict['would_take_over'])}, which has lapsed")
    else:
        say("not free")
        for line in wording.conflicts(verdict):
            say(line)
    return EXIT_YES if verdict["free"] else EXIT_NO

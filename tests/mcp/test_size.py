"""What stands in the context of every conversation: the list of tools, and the instructions (mcp.md, "Few tools")."""

import json
import math
import re
from pathlib import Path

import pytest

from mcp_gateway.protocol import INSTRUCTIONS
from mcp_gateway.tools import SETS, TOOLS
from tests.mcp.speaking import Mcp

LIMIT = 2000
COMMITTED = Path(__file__).with_name("tokens.json")
# What tokenizers cut text into first; none of them makes fewer tokens of a piece than one for each eight letters.
_PIECE = re.compile(r" ?[A-Za-z]+|\d{1,3}|[^\sA-Za-z\d]+|\s+")


def tokens(text: str) -> int:
    """How many tokens a text has at most, without a tokenizer: 3.5 bytes each, or its pieces, whichever is more.

    JSON in English comes to four bytes and more a token; pieces count quotation marks and braces one by one.
    """
    pieces = sum(math.ceil(len(piece.encode()) / 8) for piece in _PIECE.findall(text))
    return max(math.ceil(len(text.encode()) / 3.5), pieces)


@pytest.mark.parametrize("tools", SETS)
def test_a_list_of_tools_is_as_long_as_committed_and_under_2000_tokens(web, place, era, tools):
    client = Mcp(web, place, place.token(), era=era, tools=tools)
    listing = json.dumps(client.ask("tools/list")["tools"], separators=(",", ":"), ensure_ascii=False)
    counted = tokens(listing)
    known = json.loads(COMMITTED.read_text())
    assert counted == known[tools], f"tokens.json has another figure for {tools}: write {counted} there if it must be"
    assert counted < LIMIT


def test_the_instructions_have_under_150_words():
    assert len(INSTRUCTIONS.split()) < 150
    for tool in TOOLS:
        assert tool.name in INSTRUCTIONS.lower() or tool.name == "message"


def test_the_measure_counts_more_than_it_must():
    assert tokens('{"name":"claim"}') >= 5  # what cl100k_base and o200k_base make of it
    assert tokens("Claim ground before you edit it: all of it or nothing.") >= 13
    assert tokens("a" * 80) >= 10


def test_every_tool_says_what_it_is_for_in_few_words():
    for tool in TOOLS:
        assert len(tool.description.split()) < 45, tool.name
        assert re.fullmatch(r"[a-z]{3,20}", tool.name)


def test_answers_are_short(ada, bob):
    ada.call("claim", paths=[f"src/{n}.py" for n in range(500)], reason="a long list")
    refused = bob.call("claim", paths=[f"src/{n}.py" for n in range(500)])
    assert len(refused.text) < 4000, len(refused.text)
    assert "more" in refused.text
    assert len(ada.call("sync").text) < 1500
    for _ in range(5):
        bob.call("message", action="send", to="ada", text="word " * 3000)
    assert ada.call("sync", wait_seconds=20).body["inbox"]["items"]
    assert len(ada.call("sync").text) < 6000

"""Answers in words, where no request is needed to see them."""

import pytest

from mcp_gateway.tools import TOOLS, words
from mcp_gateway.tools.base import BY_NAME, Arguments


@pytest.mark.parametrize("text", ["plain", 'a"b', "a\nb", "a\\", "ä€😀", "\x1b[31m", "x" * 1000, "\u202e", ""])
def test_quoted_text_is_one_line_in_one_pair_of_quotation_marks(text):
    found = words.quoted(text, 100)
    assert found[0] == found[-1] == '"' and "\n" not in found and "\x1b" not in found
    assert '"' not in found[1:-1].replace('\\"', "").replace("\\\\", "") and len(found) < 620


@pytest.mark.parametrize("path", ["a.py", "src/**/x-1.py", "port:4711", "{a,b}/*.[ch]"])
def test_ordinary_paths_are_as_they_are(path):
    assert words.plain(path) == path


@pytest.mark.parametrize("path", ["a b", 'a"b', "a\nGRANTED", "ä.py", "", "a" * 400])
def test_odd_paths_are_quoted(path):
    assert words.plain(path).startswith('"')


@pytest.mark.parametrize(("seconds", "said"), [(-5, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h")])
def test_spans(seconds, said):
    assert words.span(seconds) == said


def test_every_tool_names_routes_and_members_that_exist():
    for tool in TOOLS:
        assert set(tool.routes) <= set(BY_NAME)
        assert tool.listed(per_project=True).output_schema
        assert tool.permissions and issubclass(tool.arguments, Arguments)
        assert {"core", "full"} <= set(tool.sets)
        writes = any(BY_NAME[name].idempotent for name in tool.routes)
        assert ("idempotency_key" in tool.takes) == (writes and not tool.hints.read_only), tool.name
        assert "instance" in tool.takes

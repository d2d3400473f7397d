"""Agents at the MCP door."""

import pytest

from tests.making import Place
from tests.mcp.speaking import ERAS, Mcp
from tests.web import Web


@pytest.fixture(params=ERAS)
def era(request) -> str:
    """Each era of the protocol in turn."""
    return str(request.param)


@pytest.fixture
def ada(web: Web, place: Place, era: str) -> Mcp:
    """A run with an ordinary agent's token."""
    return Mcp(web, place, place.token(), era=era).join("ada")


@pytest.fixture
def bob(web: Web, place: Place, era: str) -> Mcp:
    """Another one."""
    return Mcp(web, place, place.token(), era=era).join("bob")

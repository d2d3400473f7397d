"""The official Python client against the door, in every mode it has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_gateway.protocol import INSTRUCTIONS
from mcp_gateway.tools import TOOLS
from tests.making import Place
from tests.web import Web

MODES = ["legacy", "auto", "2026-07-28"]


@asynccontextmanager
async def connected(web: Web, place: Place, token: str, mode: str) -> AsyncIterator[Client]:
    """The client as its documentation has it."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(f"{web.url}/mcp/{place.slug}/main", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


def _text(result) -> str:
    return str(result.content[0].text)


@pytest.mark.parametrize("mode", MODES)
def test_it_lists_and_calls(web, place, mode):
    token = place.token()

    async def scene() -> None:
        async with connected(web, place, token, mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == [tool.name for tool in TOOLS]
            ada, bob = [
                (await client.call_tool("sync", {"agent": name})).structured_content["instance"]["handle"]
                for name in ("ada", "bob")
            ]
            granted = await client.call_tool("claim", {"paths": ["a.py"], "instance": ada})
            assert not granted.is_error and granted.structured_content["fence"]
            refused = await client.call_tool("claim", {"paths": ["a.py"], "instance": bob})
            assert not refused.is_error and refused.structured_content["code"] == "claim_conflict"
            assert "a.py is held by ada" in _text(refused)
            mistake = await client.call_tool("claim", {"pathz": ["a.py"], "instance": bob})
            assert mistake.is_error and "did you mean paths?" in _text(mistake)
            waiting = asyncio.create_task(
                client.call_tool("claim", {"paths": ["a.py"], "instance": bob, "wait_seconds": 30})
            )
            while "place 1" not in _text(await client.call_tool("sync", {"instance": bob})):
                await asyncio.sleep(0.02)
            await client.call_tool("release", {"all": True, "instance": ada})
            assert (await waiting).structured_content["holder"]["agent"] == "bob"
            await client.call_tool("message", {"action": "send", "to": "ada", "text": "hi", "instance": bob})
            mail = await client.call_tool("message", {"action": "wait", "instance": ada})
            assert '"hi"' in _text(mail)
            verified = await client.call_tool("verify", {"paths": ["a.py"], "instance": bob})
            assert verified.structured_content["verdict"] == "pass"

    asyncio.run(scene())


@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_it_finds_the_era_and_hears_the_instructions(web, place, mode, version):
    token = place.token()

    async def scene() -> None:
        async with connected(web, place, token, mode) as client:
            assert client.protocol_version == version
            assert client.instructions == INSTRUCTIONS
            assert client.server_info.name == "interlock"

    asyncio.run(scene())


@pytest.mark.parametrize("mode", MODES)
def test_a_cancelled_call_leaves_the_queue(web, place, mode):
    token = place.token()

    async def scene() -> None:
        async with connected(web, place, token, mode) as client:
            ada, bob = [
                (await client.call_tool("sync", {"agent": name})).structured_content["instance"]["handle"]
                for name in ("ada", "bob")
            ]
            await client.call_tool("claim", {"paths": ["a.py"], "instance": ada})
            waiting = asyncio.create_task(
                client.call_tool("claim", {"paths": ["a.py"], "instance": bob, "wait_seconds": 40})
            )

            async def waits() -> bool:
                return bool((await client.call_tool("sync", {"instance": bob})).structured_content["queue"])

            while not await waits():
                await asyncio.sleep(0.02)
            waiting.cancel()
            async with asyncio.timeout(15):
                while await waits():
                    await asyncio.sleep(0.02)
            await client.call_tool("release", {"all": True, "instance": ada})
            assert not (await client.call_tool("sync", {"instance": bob})).structured_content["claims"]

    asyncio.run(scene())


@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_token_does_not_connect(web, place, mode):
    async def scene() -> None:
        async with connected(web, place, "ilk_agent_wrong", mode) as client:
            await client.list_tools()

    with pytest.raises(BaseException):  # noqa: B017 - the client wraps it differently in each mode
        asyncio.run(scene())

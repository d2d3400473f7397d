"""From an event's POST to the readers of the event stream."""

import asyncio
import time

import orjson

from tests.bench.context import Bench
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import hang_up

_READERS = 16
_EVERY_S = 0.02


async def run(bench: Bench) -> Result:
    """A publisher at 50 events a second, and readers that hear every one of them exactly once."""
    team = bench.team()
    agents = await team.agents(_READERS + 1)
    publisher, readers = agents[0], agents[1:]
    sent: dict[int, float] = {}
    took: list[float] = []
    heard: list[list[int]] = [[] for _ in readers]

    def listener(mine: list[int]) -> object:
        def hear(data: bytes) -> None:
            event = orjson.loads(data)
            if event["type"] == "topic.bench":
                number = event["data"]["data"]["number"]
                mine.append(number)
                took.append(time.perf_counter() - sent[number])

        return hear

    streams = [await r.stream("/events/stream", listener(mine)) for r, mine in zip(readers, heard, strict=True)]
    many = 100 if bench.quick else 500
    try:
        for number in range(many):
            sent[number] = time.perf_counter()
            await publisher.post("/events", {"topic": "bench", "data": {"number": number}})
            await asyncio.sleep(max(0.0, sent[number] + _EVERY_S - time.perf_counter()))
        async with asyncio.timeout(10):
            while any(len(mine) < many for mine in heard):
                await asyncio.sleep(0.01)
    except TimeoutError:
        pass  # the bar below says who missed what
    finally:
        for stream in streams:
            stream.close()
        hang_up(agents)
    whole = sum(mine == list(range(many)) for mine in heard)
    figures = spread(took)
    return Result(
        [Row("stream", f"event to {_READERS} readers", figures)],
        [
            Bar("event to reader, p95", "< 250 ms", f"{figures['p95_ms']} ms", figures["p95_ms"] < 250),
            Bar(
                "every reader hears every event once, in order",
                f"{_READERS} of {_READERS}",
                f"{whole} of {_READERS}",
                whole == _READERS,
            ),
        ],
    )

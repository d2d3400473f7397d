"""Two hundred agents ask at the same moment for one file, or for patterns that meet. Nobody may be granted twice."""

import asyncio
import itertools
import random
import time

from tests.bench.context import Bench
from tests.bench.measure import Bar, Result, Row, spread
from tests.bench.places import Agent, hang_up

_AGENTS = 200
_GLOBS = (
    "race/**",
    "race/a/**",
    "race/b/**",
    "race/*/x.py",
    "race/a/x.py",
    "race/a/y.py",
    "race/b/*.py",
    "race/b/deep/**/x.py",
    "race/b/deep/er/x.py",
    "race/**/y.py",
)


async def _race(agents: list[Agent], wanted: list[str]) -> tuple[dict[str, str], float, int]:
    """(winner's claim -> its pattern, seconds until the last answer, answers that are neither yes nor no)."""
    bodies = [a.prepared("POST", "/claims", {"paths": [path]}) for a, path in zip(agents, wanted, strict=True)]
    started = time.perf_counter()
    answers = await asyncio.gather(*(a.send(body) for a, body in zip(agents, bodies, strict=True)))
    took = time.perf_counter() - started
    winners = {}
    for agent, answer, path in zip(agents, answers, wanted, strict=True):
        if answer.status == 201:
            winners[answer.json()["id"]] = path
            await agent.release(answer.json()["id"])
    strange = sum(answer.status not in (201, 409) for answer in answers)
    return winners, took, strange


def _meet(one: str, other: str) -> bool:
    from coordination.engine.overlap import overlaps  # the project's own judge
    from coordination.engine.patterns import Syntax, parse

    return any(
        overlaps(a, b) for a, b in itertools.product(parse(one, syntax=Syntax.PATH), parse(other, syntax=Syntax.PATH))
    )


async def run(bench: Bench) -> Result:
    """Both kinds, several times."""
    agents = await bench.team().agents(_AGENTS)
    rounds = 3 if bench.quick else 12
    chance = random.Random(20)  # the same races in every run
    one_path: list[float] = []
    globs: list[float] = []
    wrong = strange = 0
    try:
        for number in range(rounds):
            winners, took, odd = await _race(agents, [f"race/{number}.py"] * _AGENTS)
            one_path.append(took)
            wrong += len(winners) != 1
            strange += odd
            winners, took, odd = await _race(agents, [chance.choice(_GLOBS) for _ in agents])
            globs.append(took)
            wrong += not winners or any(_meet(a, b) for a, b in itertools.combinations(winners.values(), 2))
            strange += odd
    finally:
        hang_up(agents)
    return Result(
        [
            Row("races", f"{_AGENTS} on one path: until all are answered", spread(one_path) | {"errors": strange}),
            Row("races", f"{_AGENTS} on meeting globs: until all are answered", spread(globs)),
        ],
        [
            Bar(
                "races: one winner, or winners that do not meet",
                f"{2 * rounds} of {2 * rounds}",
                f"{2 * rounds - wrong} of {2 * rounds}, {strange} strange answers",
                not wrong and not strange,
            )
        ],
    )

"""Where do the product's schedules differ from the oracle's?

A triple is (expression, zone, instant). A round takes an expression, a zone and a window of 60
hours, mostly around a clock change; has the oracle walk through it; and compares `next_after`,
`latest_at` and `count` at each of its instants, and `slots` over the whole of it.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.oracle.cron_examples import random_centre, random_expr
from tests.oracle.cron_oracle import first_slot_after, slots
from universal_agent.domain.schedule import CronSchedule, make_cron
from universal_agent.errors import InvalidSchedule

SECOND = timedelta(seconds=1)
HALF_WINDOW = timedelta(hours=30)
INSTANTS_PER_ROUND = 20

#: How far the oracle looks for the next slot of an expression that matches seldom.
HORIZON = timedelta(days=3 * 366)


def compare(triples: int, seed: int, zones: Sequence[str]) -> tuple[int, list[str]]:
    """Run rounds until there are `triples`; the number of rounds, and what differed."""
    rounds = -(-triples // INSTANTS_PER_ROUND)
    found: list[str] = []
    for number in range(rounds):
        rng = random.Random(f"{seed}/{number}")
        timezone, expr = rng.choice(zones), random_expr(rng)
        centre = random_centre(rng, timezone)
        lines = differences(expr, timezone, centre, rng)
        found.extend(f"seed {seed}, round {number}: {line}" for line in lines)
    return rounds, found


def differences(expr: str, timezone: str, centre: datetime, rng: random.Random) -> Iterator[str]:
    """What differs in the window around `centre`, one sentence each."""
    zone = ZoneInfo(timezone)
    start, end = centre - HALF_WINDOW, centre + HALF_WINDOW
    expected = slots(expr, zone, start, end)
    where = f"{expr!r} in {timezone}"
    try:
        schedule = make_cron(expr, timezone)
    except InvalidSchedule:
        if expected:
            yield f"{where} was refused, but has a slot at {expected[0]}"
        return
    got = list(schedule.slots(start - SECOND, end))
    if got != expected:
        yield f"{where}: slots in [{start}, {end}]: {sorted(set(got) ^ set(expected))} differ"
    for instant in _instants(rng, expected, start, end):
        later = [slot for slot in expected if slot > instant]
        following = schedule.next_after(instant)
        if later and following != later[0]:
            yield f"{where}: next after {instant}: {following}, expected {later[0]}"
        if not later and following is not None and following <= end:
            yield f"{where}: next after {instant}: {following}, expected none until {end}"
        earlier = [slot for slot in expected if slot <= instant]
        latest = schedule.latest_at(instant, start - SECOND)
        if latest != (earlier[-1] if earlier else None):
            yield f"{where}: latest at {instant}: {latest}, expected {earlier[-1:]}"
        if (count := schedule.count(instant, end)) != len(later):
            yield f"{where}: count in ({instant}, {end}]: {count}, expected {len(later)}"
    if not expected:
        yield from _seldom(schedule, zone, end)


def _seldom(schedule: CronSchedule, zone: ZoneInfo, after: datetime) -> Iterator[str]:
    expected = first_slot_after(schedule.expr, zone, after, HORIZON)
    got = schedule.next_after(after)
    beyond = expected is None and got is not None and got > after + HORIZON
    if expected != got and not beyond:
        yield f"{schedule}: next after {after}: {got}, expected {expected}"


def _instants(
    rng: random.Random, expected: Sequence[datetime], start: datetime, end: datetime
) -> Iterator[datetime]:
    """Half of them anywhere in the window, half within a second of a slot."""
    length = int((end - start) / SECOND)
    for _ in range(INSTANTS_PER_ROUND):
        if expected and rng.random() < 0.5:
            near = rng.choice(expected) + SECOND * rng.randint(-1, 1)
            yield min(max(near, start), end)
        else:
            yield start + SECOND * rng.randint(0, length)

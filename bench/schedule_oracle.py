"""Compares the schedule with a crond that walks through every minute, as often as asked.

    python bench/schedule_oracle.py --triples 1000000 --seed 1

A triple is (expression, zone, instant). Around each, `next_after`, `latest_at`, `count` and `slots`
are compared with the oracle's slots. Prints what it did; exits with 1 when anything differs.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.oracle.cron_examples import ZONES, random_centre, random_expr
from tests.oracle.cron_oracle import first_slot_after, slots

from universal_agent.domain.schedule import CronSchedule, make_cron
from universal_agent.errors import InvalidSchedule

SECOND = timedelta(seconds=1)
HALF_WINDOW = timedelta(hours=30)
INSTANTS_PER_ROUND = 20
#: How far the oracle looks for the next slot of an expression that matches seldom.
HORIZON = timedelta(days=3 * 366)


def differences(rng: random.Random, zones: Sequence[str]) -> Iterator[str]:
    """One round: an expression, a zone and a window of 60 hours; yields what differs."""
    timezone = rng.choice(zones)
    expr = random_expr(rng)
    schedule = _schedule(expr, timezone)
    centre = random_centre(rng, timezone)
    start, end = centre - HALF_WINDOW, centre + HALF_WINDOW
    if schedule is None:
        if slots(expr, ZoneInfo(timezone), start, end):
            yield f"{expr!r} in {timezone} was refused, but has slots around {centre}"
        return
    expected = slots(expr, ZoneInfo(timezone), start, end)
    where = f"{expr!r} in {timezone}"
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
        yield from _seldom(schedule, end)


def _seldom(schedule: CronSchedule, after: datetime) -> Iterator[str]:
    zone = ZoneInfo(schedule.timezone)
    expected = first_slot_after(schedule.expr, zone, after, HORIZON)
    got = schedule.next_after(after)
    if expected != got and not (expected is None and got is not None and got > after + HORIZON):
        yield f"{schedule}: next after {after}: {got}, expected {expected}"


def _schedule(expr: str, timezone: str) -> CronSchedule | None:
    try:
        return make_cron(expr, timezone)
    except InvalidSchedule:
        return None


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


def compare(triples: int, seed: int, zones: Sequence[str]) -> tuple[int, list[str]]:
    """Run rounds until there are `triples`; the number of rounds, and what differed."""
    rounds = -(-triples // INSTANTS_PER_ROUND)
    found: list[str] = []
    for number in range(rounds):
        rng = random.Random(f"{seed}/{number}")
        found.extend(f"round {number}: {line}" for line in differences(rng, zones))
    return rounds, found


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the schedule with a brute-force crond.")
    parser.add_argument("--triples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every-zone", action="store_true", help="take any zone there is")
    options = parser.parse_args()
    zones = (
        sorted(available_timezones() - {"Factory", "localtime"}) if options.every_zone else ZONES
    )
    began = time.perf_counter()
    rounds, found = compare(options.triples, options.seed, zones)
    for line in found[:50]:
        print(line)
    print(
        f"{rounds} rounds, {rounds * INSTANTS_PER_ROUND} triples, seed {options.seed}, "
        f"{len(zones)} zones, {time.perf_counter() - began:.0f} s: {len(found)} mismatches"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

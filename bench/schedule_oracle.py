"""Compares the schedule with a crond that walks through every minute, as often as asked.

    python bench/schedule_oracle.py --triples 1000000 --seed 1

Prints what differs and what was done; exits with 1 when anything differs.
"""

import argparse
import sys
import time
from pathlib import Path
from zoneinfo import available_timezones

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.oracle.cron_examples import ZONES
from tests.oracle.schedule_comparison import INSTANTS_PER_ROUND, compare

_NOT_PLACES = {"Factory", "localtime"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the schedule with a brute-force crond.")
    parser.add_argument("--triples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every-zone", action="store_true", help="take any zone there is")
    options = parser.parse_args()
    zones = sorted(available_timezones() - _NOT_PLACES) if options.every_zone else ZONES
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

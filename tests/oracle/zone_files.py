"""A made-up zone whose rules a test may change under the process it runs in."""

import zoneinfo
from pathlib import Path

from chaos.zone_files import AN_HOUR_EAST as AN_HOUR_EAST
from chaos.zone_files import NO_SUMMER_TIME as NO_SUMMER_TIME
from chaos.zone_files import SUMMER_TIME as SUMMER_TIME
from chaos.zone_files import TOWN as TOWN
from chaos.zone_files import write_rules
from universal_agent.domain.local_time import forget_zones


def put_rules(folder: Path, rule: str) -> None:
    """Have this process's zone go by a rule, as though it was started with it."""
    write_rules(folder, rule)
    if str(folder) not in zoneinfo.TZPATH:
        zoneinfo.reset_tzpath([folder, *zoneinfo.TZPATH])
    forget_zones()

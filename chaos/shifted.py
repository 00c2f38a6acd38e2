"""`ua serve` on a clock that is ahead by as many seconds as a file says, from moment to moment.

    python -P chaos/shifted.py OFFSET_FILE

For machines without libfaketime. The product knows nothing of it: its one reader of the wall clock
is replaced from outside, before it starts.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from universal_agent.cli.main import main
from universal_agent.clock import SystemClock

if __name__ == "__main__":
    offset = Path(sys.argv[1])

    def now(clock: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(offset.read_text()))

    SystemClock.now = now  # type: ignore[method-assign, assignment]
    sys.argv = ["ua", "serve"]
    main()

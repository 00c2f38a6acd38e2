"""Stand-ins for tests: time that is moved by hand, runs that end as they are told.

Of the product only the demo, whose week is lived on such a clock, imports this package.
"""

from universal_agent.testing.clock import ManualClock
from universal_agent.testing.database import ManualStore
from universal_agent.testing.runners import FAILURE, SUCCESS, RecordingRunner

__all__ = ["FAILURE", "SUCCESS", "ManualClock", "ManualStore", "RecordingRunner"]

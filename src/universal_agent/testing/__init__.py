"""Test doubles: a clock that is moved by hand, runners with prescribed results.

Of the product only the demo, whose week runs on such a clock, imports this package.
"""

from universal_agent.testing.clock import ManualClock
from universal_agent.testing.database import ManualStore
from universal_agent.testing.runners import FAILURE, SUCCESS, RecordingRunner

__all__ = ["FAILURE", "SUCCESS", "ManualClock", "ManualStore", "RecordingRunner"]

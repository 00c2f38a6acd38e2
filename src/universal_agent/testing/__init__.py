"""Stand-ins for tests: time that is moved by hand.

Nothing of the product imports this package.
"""

from universal_agent.testing.clock import ManualClock

__all__ = ["ManualClock"]

"""A demo gateway with a week of history.

The product itself runs through the week, on a clock that is moved by hand, with runs that end as
the story says. So its ledger is as complete as any other.
"""

from universal_agent.demo.week import live

__all__ = ["live"]

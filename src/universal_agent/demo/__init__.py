"""A week in the life of a gateway, for trying out what it shows.

Nothing is made up: the week is lived by the product itself, on a clock that is moved by hand, with
runs that end as the story says. So the ledger of it is as complete as that of any other.
"""

from universal_agent.demo.week import live

__all__ = ["live"]

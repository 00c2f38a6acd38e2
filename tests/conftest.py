"""The surroundings every test shares: a clean environment, hypothesis profiles, a clock."""

import os

# First of all, so that nothing can have read them: a test sees the defaults and what it sets.
#: What was set outside: for what is said to a test itself, such as how often to try.
GIVEN = {
    name: os.environ.pop(name)
    for name in list(os.environ)
    if name.startswith(("UA_", "NEXT_PUBLIC_")) or name == "USER_TIMEZONE"
}

from pathlib import Path  # noqa: E402 - see above

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from universal_agent.testing import ManualClock  # noqa: E402

# Choose one with --hypothesis-profile=long.
hypothesis.settings.register_profile("default", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.register_profile("long", deadline=None, max_examples=5000)
hypothesis.settings.load_profile("default")

ACCEPTANCE = Path(__file__).parent / "acceptance"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the acceptance tests last, and on one worker: they start real processes and watch them.

    `./ua test` runs two workers with --dist loadgroup.
    """
    for item in items:
        if item.path.is_relative_to(ACCEPTANCE):
            item.add_marker(pytest.mark.xdist_group("acceptance"))
    items.sort(key=lambda item: item.path.is_relative_to(ACCEPTANCE))


@pytest.fixture
def clock() -> ManualClock:
    """Time that moves only by `await clock.advance(seconds)`; it starts at a noon in UTC."""
    return ManualClock()

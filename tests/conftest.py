"""The surroundings every test shares: a clean environment, hypothesis profiles, a clock."""

import os

# First of all, so that nothing can have read them: a test sees the defaults and what it sets.
#: What was set outside: for what is said to a test itself, such as how often to try.
GIVEN = {
    name: os.environ.pop(name)
    for name in list(os.environ)
    if name.startswith(("UA_", "NEXT_PUBLIC_")) or name == "USER_TIMEZONE"
}
# The zone of jobs that name none, wherever the tests run.
os.environ["TZ"] = "UTC"

import atexit  # noqa: E402 - see above
import shutil  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import structlog  # noqa: E402

from universal_agent.domain import local_time  # noqa: E402
from universal_agent.testing import ManualClock  # noqa: E402

# structlog's default shows every local variable of a traceback, which takes a second for a large
# one.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
    ]
)

# Where gateways note which databases there are; not among those of whoever runs the tests.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="ua-state-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

# Choose one with --hypothesis-profile=long.
hypothesis.settings.register_profile("default", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.register_profile("long", deadline=None, max_examples=5000)
hypothesis.settings.load_profile("default")

#: Tests that start real processes and watch them. The browser comes last of all: Playwright runs an
#: event loop in its process to the end, beside which no other can run.
REAL = ("acceptance", "browser")


def _place(item: pytest.Item) -> int:
    """0 for tests without processes of their own, then the folders of REAL in their order."""
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return REAL.index(folder) + 1 if folder in REAL else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests with real processes last, each folder of them on one worker.

    `./ua test` runs two workers with --dist loadgroup.
    """
    for item in items:
        if place := _place(item):
            item.add_marker(pytest.mark.xdist_group(REAL[place - 1]))
            # A browser on a busy machine is slow, and no fault of what is tested.
            item.add_marker(pytest.mark.timeout(300))
    items.sort(key=_place)


@pytest.fixture(autouse=True)
def zones_as_they_are() -> Iterator[None]:
    """No test finds zone rules that an earlier one has put on record."""
    yield
    if local_time._recorded or local_time._unrecorded:
        local_time.forget_zones()


@pytest.fixture
def clock() -> ManualClock:
    """Time that moves only by `await clock.advance(seconds)`; it starts at a noon in UTC."""
    return ManualClock()

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.making import events
from universal_agent.clock import Clock
from universal_agent.engine.flags import Flags
from universal_agent.errors import InvalidInput
from universal_agent.settings import Settings
from universal_agent.store.store import Store, sqlite_store

PUSH = "UA_SCHED_PUSH_ENABLED"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = sqlite_store(tmp_path / "ua.db", synchronous="OFF")
    await store.open()
    yield store
    await store.close()


async def flags(store: Store, clock: Clock, **settings: bool) -> Flags:
    """The flags of a gateway that starts now."""
    flags = Flags(store, clock, Settings(**settings))  # type: ignore[arg-type]
    await flags.look()
    return flags


async def test_an_override_takes_effect_at_once_and_outlives_a_restart(
    store: Store, clock: Clock
) -> None:
    before = await flags(store, clock)

    await before.change({PUSH: False}, by="kim")
    after = await flags(store, clock)

    assert not before[PUSH]
    assert not after[PUSH]
    state = after.states()[PUSH]
    assert (state.source, state.changed_by) == ("override", "kim")


async def test_an_override_that_was_set_elsewhere_is_read_from_the_log(
    store: Store, clock: Clock
) -> None:
    here, elsewhere = await flags(store, clock), await flags(store, clock)
    await elsewhere.change({PUSH: False}, by="kim")
    here.notice((await events(store))[-1])
    assert here.states() == elsewhere.states()

    await elsewhere.change({PUSH: None}, by="kim")
    here.notice((await events(store))[-1])
    assert here.states() == elsewhere.states()


async def test_taking_an_override_back_leaves_the_environment(store: Store, clock: Clock) -> None:
    found = await flags(store, clock, sched_push_enabled=False)
    await found.change({PUSH: True}, by="kim")

    await found.change({PUSH: None}, by="kim")

    assert not found[PUSH]
    assert found.states()[PUSH].source == "environment"


async def test_an_environment_that_changed_outdates_the_override_and_says_so(
    store: Store, clock: Clock
) -> None:
    await (await flags(store, clock)).change({PUSH: True}, by="kim")

    rolled_back = await flags(store, clock, sched_push_enabled=False)

    assert not rolled_back[PUSH]
    last = (await events(store))[-1]
    assert (last.type, last.data["by"], last.data["override"]) == (
        "flag_changed",
        "environment",
        False,
    )


async def test_an_unknown_flag_changes_nothing(store: Store, clock: Clock) -> None:
    found = await flags(store, clock)

    with pytest.raises(InvalidInput, match="expected one of"):
        await found.change({PUSH: False, "UA_OPS_TOKEN": True}, by="kim")

    assert found[PUSH]
    assert await events(store) == []

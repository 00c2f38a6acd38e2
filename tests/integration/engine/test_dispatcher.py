"""Events reach their subscribers in order, and a subscriber that missed one looks for itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from universal_agent.domain import events
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event, NewEvent
from universal_agent.engine.dispatch import Dispatcher
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.testing import ManualClock, ManualStore


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[ManualStore]:
    store = ManualStore(tmp_path / "ua.db", clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def dispatcher(store: Store, clock: ManualClock) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(store, clock)
    loops: list[asyncio.Task[None]] = []

    async def begin() -> None:
        await Dispatcher.start(dispatcher)
        loops.append(asyncio.create_task(dispatcher.run()))
        loops.append(asyncio.create_task(dispatcher.run_looks()))

    dispatcher.start = begin  # type: ignore[method-assign]
    yield dispatcher
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


class Heard:
    """A subscriber that keeps what it is given."""

    event_types = (EventType.FLAG_CHANGED,)

    def __init__(self, *, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.names: list[str] = []
        self.looks = 0
        self.changed = asyncio.Event()

    def notice(self, event: Event) -> None:
        if event.data["name"] == self.fails_at:
            raise ValueError("cannot be handled")
        self.names.append(event.data["name"])
        self.changed.set()

    async def look(self) -> None:
        self.looks += 1
        self.changed.set()


async def flag(store: Store, clock: ManualClock, name: str) -> None:
    await store.write(verbs.flags.set_flag, name, None, value=True, by="kim", now=clock.now())


def an_event(clock: ManualClock, name: str) -> NewEvent:
    return events.flag_changed(name, value=True, override=True, by="kim", now=clock.now())


async def test_every_subscriber_of_a_type_is_given_its_events_in_order(
    store: Store, clock: ManualClock, dispatcher: Dispatcher
) -> None:
    one, two = Heard(), Heard()
    dispatcher.subscribe(one, two)
    await dispatcher.start()
    for name in ("a", "b", "c"):
        await flag(store, clock, name)
    while len(two.names) < 3:
        two.changed.clear()
        await two.changed.wait()
    assert one.names == two.names == ["a", "b", "c"]


async def test_at_the_start_each_subscriber_looks_once_and_hears_only_what_comes(
    store: Store, clock: ManualClock, dispatcher: Dispatcher
) -> None:
    await flag(store, clock, "before")
    heard = Heard()
    dispatcher.subscribe(heard)
    await dispatcher.start()
    heard.changed.clear()
    await flag(store, clock, "after")
    await heard.changed.wait()
    assert (heard.looks, heard.names) == (1, ["after"])


async def test_a_subscriber_that_fails_looks_within_a_second_and_the_others_hear_the_event(
    store: Store, clock: ManualClock, dispatcher: Dispatcher
) -> None:
    failing, well = Heard(fails_at="bad"), Heard()
    dispatcher.subscribe(failing, well)
    await dispatcher.start()
    for name in ("bad", "bad", "good"):
        await flag(store, clock, name)
    await clock.settle()
    assert (failing.names, well.names) == (["good"], ["bad", "bad", "good"])
    assert failing.looks == 1
    await clock.advance(1)
    assert (failing.looks, well.looks) == (2, 1)
    await clock.advance(60)
    assert failing.looks == 2


async def test_after_a_gap_in_the_log_everybody_looks(
    store: Store, clock: ManualClock, dispatcher: Dispatcher
) -> None:
    heard = Heard()
    dispatcher.subscribe(heard)
    await Dispatcher.start(dispatcher)
    for name in ("a", "b", "c"):
        await flag(store, clock, name)
    await store.forget_events(until=2)
    loops = [asyncio.create_task(run()) for run in (dispatcher.run, dispatcher.run_looks)]
    await clock.settle()
    await clock.advance(1)
    assert (heard.names, heard.looks) == (["c"], 2)
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def test_an_event_is_handed_on_after_the_caller_of_its_commit_has_gone_on(
    store: ManualStore, clock: ManualClock, dispatcher: Dispatcher
) -> None:
    """A run is in execution before its cancellation arrives, though both share an answer."""
    seen: list[str] = []
    tail, loop = store.database.tail, asyncio.get_running_loop()

    class Ordered(Heard):
        def notice(self, event: Event) -> None:
            seen.append(event.data["name"])
            super().notice(event)

    heard = Ordered()
    dispatcher.subscribe(heard)
    await dispatcher.start()
    await clock.settle()

    def second() -> None:
        """What the writer does after a commit: wake the caller, then take the events."""
        loop.call_soon(seen.append, "caller")
        tail.grown(2, [an_event(clock, "b")])

    # `second` comes between the wake-up that the first commit causes and the dispatcher's step.
    loop.call_soon(loop.call_soon, second)
    tail.grown(1, [an_event(clock, "a")])
    while len(heard.names) < 2:
        heard.changed.clear()
        await heard.changed.wait()
    assert seen == ["a", "caller", "b"]


async def test_a_subscriber_whose_look_fails_does_not_keep_the_others_from_looking(
    store: Store, clock: ManualClock, dispatcher: Dispatcher
) -> None:
    class Broken(Heard):
        async def look(self) -> None:
            self.looks += 1
            if self.looks > 1:
                raise ValueError("cannot look")

    broken, well = Broken(fails_at="bad"), Heard(fails_at="bad")
    dispatcher.subscribe(broken, well)
    await dispatcher.start()
    await flag(store, clock, "bad")
    await clock.settle()
    await clock.advance(1)
    assert (broken.looks, well.looks) == (2, 1)
    again = asyncio.create_task(dispatcher.run_looks())
    await clock.settle()
    await clock.advance(1)
    assert (broken.looks, well.looks) == (3, 2)
    await asyncio.gather(again, return_exceptions=True)

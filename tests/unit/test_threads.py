"""Each kind of blocking work has its own bounded threads."""

import ast
import asyncio
import threading
from pathlib import Path

import pytest

from universal_agent.testing import ManualClock
from universal_agent.threads import FILES, PROCESSES, RESOLVING, Pool

PACKAGE = Path(__file__).parents[2] / "src" / "universal_agent"


async def test_a_call_gives_its_result_or_its_error() -> None:
    pool = Pool("test", 1)
    assert await pool.run(int, "12") == 12
    with pytest.raises(ValueError, match="invalid literal"):
        await pool.run(int, "x")


async def test_a_pool_has_no_more_threads_than_its_size() -> None:
    pool = Pool("test", 2)
    both, go_on = threading.Barrier(3), threading.Event()

    def call() -> str:
        if not go_on.is_set():
            both.wait()
            go_on.wait()
        return threading.current_thread().name

    calls = [asyncio.ensure_future(pool.run(call)) for _ in range(5)]
    await asyncio.to_thread(both.wait)
    go_on.set()
    assert set(await asyncio.gather(*calls)) == {"ua-test-1", "ua-test-2"}


async def test_a_call_that_waits_is_dropped_when_its_caller_is_cancelled(
    clock: ManualClock,
) -> None:
    pool, go_on = Pool("test", 1), threading.Event()
    made: list[str] = []
    first = asyncio.ensure_future(pool.run(go_on.wait))
    second = asyncio.ensure_future(pool.run(made.append, "second"))
    await clock.sleep(0)  # both calls are submitted
    second.cancel()
    await asyncio.wait([second])
    go_on.set()
    await first
    assert await pool.run(list, made) == []


async def test_a_hanging_resolver_holds_up_no_process_and_no_file() -> None:
    go_on, busy = threading.Event(), threading.Barrier(RESOLVING._size + 1)

    def hang() -> None:
        busy.wait()
        go_on.wait()

    hanging = [asyncio.ensure_future(RESOLVING.run(hang)) for _ in range(RESOLVING._size)]
    await FILES.run(busy.wait)
    try:
        assert await PROCESSES.run(int, "1") == 1
        assert await FILES.run(int, "2") == 2
    finally:
        go_on.set()
        await asyncio.gather(*hanging)


def test_engine_and_runners_never_use_the_pool_that_everything_shares() -> None:
    shared = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for folder in ("engine", "runners")
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("to_thread", "run_in_executor", "getaddrinfo")
        and not (isinstance(node.value, ast.Name) and node.value.id == "socket")
    ]
    assert shared == [], "use a pool of universal_agent.threads"

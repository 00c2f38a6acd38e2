"""Tracebacks in the log: whole in what matters, bounded, and without local variables."""

import threading
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import pytest
import structlog

from universal_agent.api.tracebacks import TracebackWriter, format_bounded

Record = MutableMapping[str, Any]


def fail(depth: int = 0) -> None:
    token = "hunter2-in-a-local-variable"
    if depth:
        fail(depth - 1)
    raise ValueError(f"failed with {len(token)}")


def error_of(depth: int = 0) -> Exception:
    try:
        fail(depth)
    except ValueError as error:
        return error
    raise AssertionError


def test_a_traceback_names_its_frames_and_no_local_variable() -> None:
    text = format_bounded(error_of())
    assert text.endswith("ValueError: failed with 27")
    assert "in fail" in text
    assert "hunter2-in-a-local-variable" not in text


@pytest.mark.parametrize("message", ["x" * 5_000_000, "x\n" * 1_000_000])
def test_it_is_bounded_whatever_the_exception_says(message: str) -> None:
    error: BaseException = ValueError(message)
    for number in range(500):
        cause, error = error, RuntimeError(f"number {number}")
        error.__cause__ = cause
    assert len(format_bounded(error)) < 21_000
    assert format_bounded(error).endswith("RuntimeError: number 499")
    assert len(format_bounded(error_of(900))) < 21_000


def test_it_is_written_by_another_thread() -> None:
    written: list[tuple[str, str]] = []
    writer = TracebackWriter(
        lambda record: written.append((threading.current_thread().name, record["exception"]))
    )
    with pytest.raises(structlog.DropEvent):
        writer(None, "error", {"event": "failed", "exc_info": error_of()})
    writer.flush()
    ((thread, text),) = written
    assert thread == "tracebacks"
    assert "in fail" in text


def test_more_than_can_be_written_are_written_short_and_without_waiting() -> None:
    is_open = threading.Event()
    written: list[Record] = []

    def write(record: Record) -> None:
        is_open.wait()
        written.append(record)

    writer = TracebackWriter(write)
    short = []
    for _ in range(200):
        with suppress(structlog.DropEvent):
            short.append(writer(None, "error", {"event": "failed", "exc_info": error_of()}))
    assert short[0]["exception"] == "ValueError: failed with 27 (no traceback)"
    is_open.set()
    writer.flush()
    assert len(written) + len(short) == 200


def test_a_record_without_an_exception_goes_its_way() -> None:
    writer = TracebackWriter(lambda _: None)
    for nothing in (None, False, True, (None, None, None)):
        assert writer(None, "info", {"event": "x", "exc_info": nothing}) == {"event": "x"}
    assert writer(None, "info", {"event": "x"}) == {"event": "x"}

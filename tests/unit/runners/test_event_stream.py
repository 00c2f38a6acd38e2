"""Server-sent events, whatever pieces and line ends they arrive in."""

import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.runners.event_stream import (
    EVENT_BYTES,
    EventTooLong,
    read_events,
)


async def events(*pieces: bytes) -> list[tuple[str, str]]:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return [(event.event, event.data) async for event in read_events(body())]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
async def test_each_line_end_of_the_format_ends_a_line(end: bytes) -> None:
    stream = b"data: one\n\nevent: error\ndata:two\n\n".replace(b"\n", end)
    assert await events(stream) == [("message", "one"), ("error", "two")]


async def test_an_event_may_span_several_data_lines() -> None:
    assert await events(b'data: {"a":\ndata:  1}\n\n') == [("message", '{"a":\n 1}')]


async def test_comments_ids_and_unknown_fields_are_no_events() -> None:
    assert await events(b": ping\n\nid: 7\nretry: 5\nhello\n\ndata: x\n\n") == [("message", "x")]


async def test_a_byte_order_mark_is_skipped_at_the_start_only() -> None:
    assert await events(b"\xef\xbb", b"\xbfdata: a\n\n") == [("message", "a")]
    assert await events(b"data: a\n\n\xef\xbb\xbfdata: b\n\n") == [("message", "a")]


async def test_a_last_event_without_its_blank_line_counts() -> None:
    assert await events(b"data: [DONE]") == [("message", "[DONE]")]


async def test_one_blank_after_the_colon_is_not_part_of_the_value() -> None:
    assert await events(b"data:  two blanks\n\n") == [("message", " two blanks")]


@given(cuts=st.lists(st.integers(0, 60), max_size=10))
async def test_pieces_may_be_cut_anywhere(cuts: list[int]) -> None:
    whole = "\ufeffdata: Gr\u00fc\u00dfe\r\n\r\n: c\rdata: a\rdata: b\r\rdata: c\n\n".encode()
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[a:b] for a, b in itertools.pairwise(places)]
    assert await events(*pieces) == [
        ("message", "Gr\u00fc\u00dfe"),
        ("message", "a\nb"),
        ("message", "c"),
    ]


async def test_an_endless_line_and_an_endless_event_are_refused() -> None:
    piece = b"x" * 65_536
    with pytest.raises(EventTooLong, match=f"lines of at most {EVENT_BYTES} bytes"):
        await events(b"data: ", *[piece] * 17)
    with pytest.raises(EventTooLong, match=f"events of at most {EVENT_BYTES} bytes"):
        await events(*[b"data: " + piece + b"\n"] * 17)


async def test_a_large_piece_of_many_small_events_is_not_too_long() -> None:
    event = b"data: " + b"x" * 1000 + b"\n\n"
    read = await events(event * (3 * EVENT_BYTES // len(event)))
    assert {data for _, data in read} == {"x" * 1000}
    assert len(read) == 3 * EVENT_BYTES // len(event)

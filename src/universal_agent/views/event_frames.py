"""Messages of the event stream, and stubs for events that cannot be encoded."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from universal_agent.domain.unreadable_event import stub_of


class Frame:
    """One message of the stream, encoded at the first read and shared by all readers.

    A burst of events that no client reads is not encoded.
    """

    __slots__ = ("_data", "_make", "seq")

    def __init__(self, seq: int, make: Callable[[], Mapping[str, Any]]) -> None:
        self.seq = seq
        self._make: Callable[[], Mapping[str, Any]] | None = make
        self._data = b""

    @property
    def data(self) -> bytes:
        """The encoded message: `id: <seq>` and the payload."""
        if self._make is not None:
            self._data = encode_frame(self.seq, self._make())
            self._make = None
        return self._data


def encode_frame(seq: int, payload: Mapping[str, Any]) -> bytes:
    """A message of the stream; an event that is not valid JSON is replaced by a stub."""
    try:
        data = orjson.dumps(payload)
    except TypeError as error:
        if "event" not in payload:
            raise
        data = orjson.dumps({**payload, "event": stub_of(payload["event"], error)})
    return b"id: %d\ndata: %b\n\n" % (seq, data)


def with_stubs(envelopes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Envelopes of events, with a stub for each that is not valid JSON."""
    return [_or_stub(envelope) for envelope in envelopes]


def _or_stub(envelope: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        orjson.dumps(envelope)
    except TypeError as error:
        return stub_of(envelope, error)
    return envelope

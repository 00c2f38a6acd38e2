"""The client's side of a connection to a server with the bounded protocol."""

import asyncio
from collections.abc import Callable
from typing import Any

Connect = Callable[..., tuple[asyncio.Protocol, "Wire"]]


class Wire(asyncio.Transport):
    """The client's side of a connection."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__({"peername": (address, 50000), "sockname": ("127.0.0.1", 8002)})
        self.received = b""
        #: Bytes that were written and not sent, since the client does not read.
        self.waiting = 0
        self.was_aborted = False
        self.is_paused = False
        self._closed = False
        self.has_ended = False
        self.protocol = asyncio.Protocol()

    def write(self, data: Any) -> None:
        self.received += data

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if not self.waiting:
                self._lose()

    def abort(self) -> None:
        self._closed = self.was_aborted = True
        self._lose()

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def _lose(self) -> None:
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def write_eof(self) -> None:
        self.has_ended = True

    def is_closing(self) -> bool:
        return self._closed

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"

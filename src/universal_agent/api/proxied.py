"""Requests that come through a proxy: their client, their path, and how they are recognized."""

import ipaddress
from collections.abc import Iterable, Sequence

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from universal_agent.api.policy import PAGES
from universal_agent.errors import SettingsError
from universal_agent.settings import Settings

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Headers that proxies add, in addition to those that begin with `x-forwarded-`.
_OF_PROXIES = frozenset({b"forwarded", b"via", b"x-real-ip"})

#: Proxies that one request is followed through.
_MOST_HOPS = 20


def sign_of_proxy(scope: Scope) -> str | None:
    """What shows that a request came through a proxy; None where nothing does.

    nginx adds no header unless it is told to, and speaks HTTP/1.0; clients of today speak HTTP/1.1.
    """
    for name, _ in scope["headers"]:
        if name in _OF_PROXIES or name.startswith(b"x-forwarded-"):
            return str(name.decode("latin-1").title())
    return "HTTP/1.0" if scope.get("http_version") == "1.0" else None


class ForwardedClients:
    """ASGI layer: the client of a request is the one for which a trusted proxy forwards it.

    X-Forwarded-For, else Forwarded, is read from the right, as long as what wrote the entry is a
    trusted proxy: the entries further left are what a client sent. Where both headers are there
    and disagree, one of them is a client's, and the client is the last proxy.
    """

    def __init__(self, app: ASGIApp, *, proxies: Sequence[str]) -> None:
        self._app = app
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if peer:
            client = self._client(peer[0], scope["headers"])
            if client != peer[0]:
                scope = {**scope, "client": (client, 0)}
        await self._app(scope, receive, send)

    def _client(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        if not self._is_proxy(_address(peer)):
            return peer
        lists: dict[bytes, list[bytes]] = {b"x-forwarded-for": [], b"forwarded": []}
        for name, value in headers:
            if name in lists:
                lists[name] += value.split(b",")
        plain = [entry.decode("latin-1") for entry in lists[b"x-forwarded-for"]]
        standard = [_for_parameter(entry.decode("latin-1")) for entry in lists[b"forwarded"]]
        found = {self._follow(peer, entries) for entries in (plain, standard) if entries}
        return found.pop() if len(found) == 1 else peer

    def _follow(self, peer: str, entries: Sequence[str]) -> str:
        """The rightmost address that is no trusted proxy; the last proxy where none is readable."""
        last = peer
        for entry in entries[: -_MOST_HOPS - 1 : -1]:
            address = _address(entry)
            if address is None:
                return last
            last = str(address)
            if not self._is_proxy(address):
                return last
        return last

    def _is_proxy(self, address: _Address | None) -> bool:
        return address is not None and any(address in proxy for proxy in self._proxies)


def _address(text: str) -> _Address | None:
    """The address in an entry, which may have a port; None for any other text."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _for_parameter(element: str) -> str:
    """The value of `for` in an element of Forwarded (RFC 7239); "" where there is none."""
    for pair in element.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return value
    return ""


class PublicPath:
    """ASGI layer: takes the public path from the beginning of a request's path.

    A proxy may take it away itself, so a path without it is left as it is.
    """

    def __init__(self, app: ASGIApp, *, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == self._path or path.startswith(f"{self._path}/"):
            rest = path.removeprefix(self._path) or "/"
            scope = {**scope, "path": rest, "raw_path": rest.encode()}
        await self._app(scope, receive, send)


def install_proxied(app: FastAPI, settings: Settings) -> None:
    """Put the outermost layers around `app`. Raises SettingsError for a path that cannot be."""
    if path := _public_path_of(settings):
        app.add_middleware(PublicPath, path=path)
    if settings.trusted_proxies:
        app.add_middleware(ForwardedClients, proxies=settings.trusted_proxies)


def _public_path_of(settings: Settings) -> str:
    """The public path. Raises SettingsError for one that begins like an address of the gateway."""
    path = settings.public_path
    first = path[1:].partition("/")[0]
    if first in PAGES or first in ("api", "config", "metrics"):
        raise SettingsError(
            f"UA_PUBLIC_URL: expected a path that begins with a name of its own, got {path!r}: "
            f"/{first} is an address of the gateway."
        )
    return path

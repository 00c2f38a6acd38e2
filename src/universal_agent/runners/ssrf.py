"""Guard against server-side request forgery: the targets that a webhook may connect to.

A job's author names a URL, and the gateway connects from inside the network, from the machine
itself, next to a cloud's metadata service. A name is resolved once, every address is checked, and
the connection goes to a checked address only: a later change of the name (DNS rebinding) has no
effect. UA_WEBHOOK_ALLOW allows individual targets.
"""

import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from universal_agent.errors import InvalidInput, SettingsError
from universal_agent.settings import Settings
from universal_agent.threads import RESOLVING

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Returns all addresses of a host name; raises OSError when there is none.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

#: The prefix of every refusal by this guard.
SSRF_BLOCKED = "ssrf_blocked"

#: Predicates of `ipaddress`, and the description of an address that satisfies one.
_PREDICATES = (
    ("is_unspecified", "an unspecified address"),
    ("is_loopback", "a loopback address"),
    ("is_link_local", "a link-local address"),
    ("is_multicast", "a multicast address"),  # partly global for `ipaddress`
    ("is_reserved", "a reserved address"),
    ("is_private", "a private address"),
)
#: Refused networks that are global, in whole or in part, for `ipaddress` of a Python 3.11 to 3.14.
_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), why)
    for network, why in (
        ("168.63.129.16/32", "a cloud's metadata service"),  # public space; Azure's own use
        ("192.0.0.0/24", "a reserved address"),  # since 3.13: 192.0.0.9 and .10 are global
        ("192.88.99.0/24", "a 6to4 relay"),  # withdrawn (RFC 7526), global in every version
        ("2001::/23", "a reserved address"),  # since 3.13: global in parts; Teredo hides IPv4
        ("2002::/16", "a 6to4 address"),  # hides IPv4; global until 3.13
        ("3fff::/20", "a documentation address"),  # RFC 9637; global until 3.14
    )
)
#: The only part of IPv6 for public use; it excludes IPv4-mapped, NAT64 and site-local addresses.
_PUBLIC_IPV6 = ip_network("2000::/3")

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
#: Old resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as 127.0.0.1. No public name ends so.
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")


def blocked(why: str) -> InvalidInput:
    """The refusal of a target."""
    return InvalidInput(f"{SSRF_BLOCKED}: {why}", field="command")


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """All addresses from the system's resolver, the preferred one first."""
    found = await RESOLVING.run(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a URL, before name resolution."""

    host: str
    port: int
    #: The address, if the URL contains one instead of a host name.
    address: Address | None

    @classmethod
    def of(cls, url: httpx.URL) -> "Target":
        """The target of a URL. Raises InvalidInput unless it is a plain http or https URL."""
        if url.scheme not in ("http", "https"):
            text = f"expected an http or https URL, got {str(url)[:80]!r}"
            raise blocked(text) if url.scheme else InvalidInput(text, field="command")
        if url.userinfo:
            raise blocked("expected a URL without a user name or password in it")
        port = url.port if url.port is not None else {"http": 80, "https": 443}[url.scheme]
        if not 0 < port < 65536:
            raise InvalidInput(f"expected a port from 1 to 65535, got {port}", field="command")
        # `raw_host` is sent to the resolver; `host` is its display form.
        host = url.raw_host.decode("ascii").lower().removesuffix(".")
        try:
            return cls(host, port, ip_address(host))
        except ValueError:
            pass
        if not _NAME.fullmatch(host) or not _is_resolvable(host, url):
            raise InvalidInput(f"expected a host name, got {host[:80]!r}", field="command")
        if _ENDS_IN_A_NUMBER.fullmatch(host):
            raise blocked(f"{host} is an address in an unusual notation")
        return cls(host, port, None)


def _is_resolvable(host: str, url: httpx.URL) -> bool:
    """Whether a host name fits into DNS, and its international labels can be decoded."""
    try:
        url.host  # noqa: B018 - decodes the labels, as a request does
    except UnicodeError:
        return False
    return len(host) <= _LONGEST_NAME and all(
        len(label) <= _LONGEST_LABEL for label in host.split(".")
    )


@dataclass(frozen=True, slots=True)
class _Allowed:
    """An entry of UA_WEBHOOK_ALLOW: a name or a network, on one port or on any port."""

    name: str | None
    network: Network | None
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> "_Allowed":
        """Parse an entry. Raises SettingsError unless it is a host or a network."""
        if (network := _network(entry)) is not None:
            return cls(None, network, None)
        host, colon, port = entry.rpartition(":")
        if not colon:
            host, port = entry, ""
        number = int(port) if port.isdecimal() else None
        network = _network(host.removeprefix("[").removesuffix("]"))
        name = host.lower().removesuffix(".")
        if (colon and number is None) or (network is None and not _NAME.fullmatch(name)):
            raise SettingsError(
                "UA_WEBHOOK_ALLOW: expected host, host:port, an address or a network such as "
                f"10.1.0.0/16, got {entry!r}"
            )
        return cls(None if network else name, network, number)

    def covers(self, target: Target, address: Address | None) -> bool:
        if self.port not in (None, target.port):
            return False
        if self.network is not None:
            return address is not None and address in self.network
        return self.name == target.host


class TargetGuard:
    """Checks the targets of webhooks."""

    def __init__(self, settings: Settings, resolve: Resolve = system_resolve) -> None:
        self._allowed = tuple(_Allowed.parse(entry) for entry in settings.webhook_allow)
        self._own = (settings.gateway_host, settings.gateway_port)
        self._resolve = resolve

    def check(self, url: httpx.URL) -> None:
        """Raise InvalidInput for a URL that is refused regardless of name resolution."""
        target = Target.of(url)
        if target.address is not None:
            why = self._refusal(target, target.address)
        elif target.host == "localhost" or target.host.endswith(".localhost"):
            named = any(allowed.covers(target, None) for allowed in self._allowed)
            why = None if named else f"{target.host} is this machine"
        else:
            why = None
        if why is not None:
            raise blocked(why)

    async def addresses(self, url: httpx.URL) -> list[Address]:
        """The allowed addresses of a URL, in the order to try them.

        Raises InvalidInput if all are refused, OSError if the name does not resolve.
        """
        self.check(url)
        target = Target.of(url)
        if target.address is not None:
            return [target.address]
        found = [ip_address(text) for text in await self._resolve(target.host, target.port)]
        refusals = [self._refusal(target, address) for address in found]
        allowed = [address for address, why in zip(found, refusals, strict=True) if why is None]
        if not allowed:
            seen = f"is at {refusals[0]}" if refusals else "has no address"
            raise blocked(f"{target.host} {seen}")
        return allowed

    def _refusal(self, target: Target, address: Address) -> str | None:
        """Why a connection is refused; None if it is allowed."""
        gateway = target.port == self._own[1] and self._is_own(address)
        for allowed in self._allowed:
            # Allowing an address does not allow the gateway on it; that requires an explicit port.
            if allowed.covers(target, address) and not (gateway and allowed.port is None):
                return None
        if gateway:
            return f"{address}, port {target.port}, this gateway itself"
        why = _not_public(address)
        return None if why is None else f"{address}, {why}"

    def _is_own(self, address: Address) -> bool:
        """Whether the address may belong to this gateway."""
        if address.is_loopback or address.is_unspecified or str(address) == self._own[0]:
            return True
        try:
            is_wildcard = ip_address(self._own[0]).is_unspecified
        except ValueError:
            return False
        return is_wildcard and _is_of_this_machine(address)


def _not_public(address: Address) -> str | None:
    """The description of an address outside the public internet; None for a public address."""
    if (why := next((why for network, why in _REFUSED if address in network), None)) is not None:
        return why
    for predicate, why in _PREDICATES:
        if getattr(address, predicate):
            return why
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return "a reserved address"
    return None if address.is_global else "not a public address"  # carrier-grade NAT


def _is_of_this_machine(address: Address) -> bool:
    """Whether an interface of this machine has the address."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests to addresses that the guard allowed; TLS and Host keep the host name.

    Connections are not pooled: a pool identifies connections by address, and would reuse one that
    was verified for one host for another host at the same address.
    """

    def __init__(self, guard: TargetGuard, tls: ssl.SSLContext) -> None:
        self._guard = guard
        self._inner: httpx.AsyncBaseTransport = httpx.AsyncHTTPTransport(
            verify=tls, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            addresses = await self._guard.addresses(request.url)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"the name does not resolve: {error}") from error
        target = Target.of(request.url)
        extensions = dict(request.extensions)
        if target.address is None:
            extensions["sni_hostname"] = target.host
        *others, last = addresses
        for address in others:
            try:
                return await self._send(request, address, extensions)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # nothing was sent; the next address may be reachable
        return await self._send(request, last, extensions)

    async def _send(
        self, request: httpx.Request, address: Address, extensions: dict[str, object]
    ) -> httpx.Response:
        return await self._inner.handle_async_request(
            httpx.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions=extensions,
            )
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


def _network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None

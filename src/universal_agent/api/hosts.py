"""Host and Origin checks: the names that the gateway answers to, and whether a page is its own.

A page of another site can make a browser send requests to a gateway on this machine. What it
cannot do is choose the Host header (unless its own name resolves to this machine: DNS rebinding)
nor forge Origin and Sec-Fetch-Site. So these three headers protect a gateway even without a token.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple, Self

from universal_agent.errors import SettingsError
from universal_agent.settings import LOOPBACK_NAMES, Settings

_AUTHORITY = re.compile(rb"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")

_DEFAULT_PORTS = {b"http": 80, b"https": 443}

#: Longest name DNS knows, with a port.
_LONGEST_AUTHORITY = 253 + len(":65535")


class Authority(NamedTuple):
    """`name` or `name:port`, as Host has it; an IPv6 address keeps its brackets."""

    name: bytes
    port: int | None

    def port_for(self, scheme: bytes) -> int:
        """The port, or the one that the scheme stands for."""
        return _DEFAULT_PORTS[scheme] if self.port is None else self.port


def read_authority(text: bytes) -> Authority | None:
    """The authority that `text` is, in lower case; None when it is anything more or less."""
    if len(text) > _LONGEST_AUTHORITY:
        return None
    match = _AUTHORITY.fullmatch(text.lower())
    if match is None:
        return None
    name, port = match.groups()
    if port is None:
        return Authority(name, None)
    number = int(port)
    return Authority(name, number) if 0 < number <= 65535 else None


def is_same_origin(origin: bytes, host: Authority) -> bool:
    """Whether an Origin header names the very host and port that the request was sent to.

    Either scheme will do: what terminates TLS in front of the gateway passes plain HTTP on. `null`
    (a sandboxed frame, a file) is nobody's origin. Case does not count, as in every authority.
    """
    scheme, _, rest = origin.lower().partition(b"://")
    if scheme not in _DEFAULT_PORTS:
        return False
    theirs = read_authority(rest)
    return (
        theirs is not None
        and theirs.name == host.name
        and theirs.port_for(scheme) == host.port_for(scheme)
    )


class Hosts:
    """The names that the gateway answers to: this machine's own, and those in UA_ALLOWED_HOSTS.

    A name without a port is accepted with every port, since a tunnel or a proxy may choose its own.
    Raises SettingsError for a wildcard and for text that cannot be a host name.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._accepted = {_authority(name) for name in (*LOOPBACK_NAMES, *names)}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The names of a gateway with these settings, and the address it listens on."""
        own = () if _is_wildcard(settings.gateway_host) else (settings.gateway_host,)
        return cls((*own, *settings.allowed_hosts))

    def accepted(self, host: bytes) -> Authority | None:
        """The authority that a Host header names; None when it is not one of ours."""
        authority = read_authority(host)
        if authority is None:
            return None
        if authority in self._accepted or Authority(authority.name, None) in self._accepted:
            return authority
        return None


def _authority(name: str) -> Authority:
    bracketed = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
    authority = read_authority(bracketed.encode("ascii", "replace"))
    if authority is None or authority.name.endswith(b".") or _is_wildcard(authority.name.decode()):
        raise SettingsError(
            "UA_ALLOWED_HOSTS: expected names or addresses that clients use, such as "
            f"ua.example.org or ua.example.org:8443, got {name!r}"
        )
    return authority


def _is_wildcard(name: str) -> bool:
    """Whether this is the address that stands for all of a machine's (0.0.0.0, ::)."""
    try:
        return ipaddress.ip_address(name.strip("[]")).is_unspecified
    except ValueError:
        return False

"""Host and Origin checks: the names that the gateway answers to, and whether a page is its own.

A page of another site can make a browser send requests to a gateway on this machine. What it
cannot do is choose the Host header (unless its own name resolves to this machine: DNS rebinding)
nor forge Origin and Sec-Fetch-Site. So these three headers protect a gateway even without a token.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from universal_agent.api.limits import REPEATED
from universal_agent.api.policy import Need
from universal_agent.domain.text_rules import log_text
from universal_agent.errors import Forbidden, SettingsError
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


def check_origin(headers: Mapping[bytes, bytes], host: Authority | None, need: Need) -> None:
    """Raise Forbidden unless a request comes from a page of ours, or from no page at all.

    The pages and their files are the same for everybody: Origin does not matter to them, so that a
    page can load behind a proxy that changes Host, and say so.
    """
    origin = headers.get(b"origin")
    if (
        origin is not None
        and need is not Need.PAGE
        and not (host is not None and is_same_origin(origin, host))
    ):
        raise Forbidden(
            f"Pages of other origins may not use this gateway: Origin is {_shown(origin)}, and "
            f"Host is {_shown(headers.get(b'host', b''))}. A proxy in between must pass Host on "
            "unchanged (docs/how-to/proxy.md)."
        )
    site = headers.get(b"sec-fetch-site")
    if site is None or site in (b"same-origin", b"none"):
        return
    if not (
        need is Need.PAGE
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and headers.get(b"sec-fetch-dest") == b"document"
    ):
        raise Forbidden(
            f"Pages of other origins may not use this gateway (Sec-Fetch-Site: {_shown(site)})."
        )


def unknown_host(host: bytes) -> Forbidden:
    """The error for a Host that the gateway does not answer to."""
    if host in (b"", REPEATED):
        return Forbidden("expected one Host header, got " + ("none" if host == b"" else "several"))
    return Forbidden(
        f"This gateway does not answer to the name {_shown(host)} in Host. UA_ALLOWED_HOSTS adds "
        "names, at the start; a proxy must pass on the one that browsers use."
    )


def _shown(value: bytes) -> str:
    return log_text(value.decode("latin-1"))[:100] or "missing"


class Hosts:
    """The names that the gateway answers to: this machine's own, and those in UA_ALLOWED_HOSTS.

    A name without a port is accepted with every port, since a tunnel or a proxy may choose its own.
    Raises SettingsError for a wildcard and for text that cannot be a host name.
    """

    def __init__(self, names: Iterable[str] = (), *, public_url: str = "") -> None:
        self._accepted = {_authority(name) for name in (*LOOPBACK_NAMES, *names)}
        parts = urlsplit(public_url)
        self._public = (parts.hostname or "").encode(), parts.path.rstrip("/") + "/"
        if parts.hostname:
            self._accepted.add(_authority(parts.hostname))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The names of a gateway with these settings, and the address it listens on."""
        own = () if _is_wildcard(settings.gateway_host) else (settings.gateway_host,)
        return cls((*own, *settings.allowed_hosts), public_url=settings.public_url)

    def cookie_path(self, host: Authority | None) -> str:
        """The path of a session's cookie: below the public one, other programs do not get it."""
        name, path = self._public
        return path if host is not None and host.name == name else "/"

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

"""Types of settings and the checks of their values; a bad value raises ValueError."""

import base64
import ipaddress
import os
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from universal_agent.masking import without_user

TRUTHY = frozenset({"1", "true", "yes", "on"})
FALSY = frozenset({"0", "false", "no", "off"})


def _flag(value: object) -> object:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in TRUTHY:
            return True
        if word in FALSY:
            return False
        raise ValueError(
            f"expected one of {', '.join(sorted(TRUTHY | FALSY))}, got {value!r}",
        )
    return value


def expanded_path(path: str) -> str:
    """A path whose `~` is the home of this user, or `~name` of another."""
    if not path.startswith("~"):
        return path
    found = os.path.expanduser(path)  # noqa: PTH111 - an argument that is no path stays as it is
    if found.startswith("~"):
        raise ValueError(f"expected a path, got {path!r}, and there is no such home")
    return found


def _words(value: object) -> object:
    if isinstance(value, str):
        return tuple(word for word in re.split(r"[,\s]+", value.strip()) if word)
    return value


Flag = Annotated[bool, BeforeValidator(_flag)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]


def host_timezone() -> str:
    """The IANA name of the host's zone (TZ, /etc/localtime, /etc/timezone); UTC without one."""
    localtime = Path("/etc/localtime")
    candidates = [os.environ.get("TZ", "").removeprefix(":")]
    with suppress(OSError):
        candidates.append(str(localtime.resolve()))
    with suppress(OSError, UnicodeDecodeError):
        candidates.append(Path("/etc/timezone").read_text("utf-8").strip())
    for candidate in candidates:
        name = candidate.rpartition("zoneinfo/")[2]
        if name in ("Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Universal"):
            return "UTC"
        if not name or name.startswith("/"):
            continue
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return "UTC"


def is_loopback_name(name: str) -> bool:
    """Whether a host, with or without a port, is this machine's own loopback address."""
    bracketed = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
    try:
        host = urlsplit(f"//{bracketed}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def networks(values: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses and networks as they are. Raises ValueError for one that is neither."""
    for value in values:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError(
                f"expected addresses or networks such as 127.0.0.1 or 10.0.0.0/8, got {value!r}"
            ) from None
    return values


_PUBLIC_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


def public_address(value: str) -> str:
    """The address at which browsers reach the dashboard, as it is; "" for none."""
    if not value:
        return value
    expected = "expected an address such as https://example.org/agents/"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{expected}, got {without_user(value)!r}") from None
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    is_path = _PUBLIC_PATH.fullmatch(parts.path) and not {".", ".."} & set(parts.path.split("/"))
    if parts.scheme not in ("http", "https") or not host or not is_plain or not is_path:
        raise ValueError(f"{expected}, got {without_user(value)!r}")
    return value


_HOST_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


def check_web_address(url: str) -> None:
    """Raise ValueError unless the HTTP client can use the URL. The message does not repeat it."""
    import httpx  # what parses it here is what uses it later

    expected = "expected a URL such as https://example.org/ping, got"
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError(f"{expected} one that cannot be read ({_why(error)})") from None
    if parsed.scheme not in ("http", "https"):
        raise ValueError(f"{expected} one that does not begin with http:// or https://")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise ValueError(f"{expected} one with the port {parsed.port}")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        if len(host) > 253 or not all(map(_HOST_LABEL.fullmatch, labels)):
            raise ValueError(f"{expected} one with a host name that cannot be one") from None


def _why(error: Exception) -> str:
    """What the parser says, without the parts of the URL that it quotes."""
    return str(error).partition(":")[0].lower() or type(error).__name__


def known_zone(name: str) -> str:
    """The name of an IANA zone; empty stays empty."""
    try:
        if name:
            ZoneInfo(name)
    except Exception:
        raise ValueError(f"expected an IANA zone such as Europe/Berlin, got {name!r}") from None
    return name


def service_addresses(urls: tuple[str, ...]) -> tuple[str, ...]:
    """Apprise URLs. The message does not repeat one, since it holds secrets."""
    for number, url in enumerate(urls, 1):
        try:
            parts = urlsplit(url)
            is_url = bool(parts.scheme and (parts.netloc or parts.path))
            is_url = is_url and "://" in url and parts.port != 0
        except ValueError:
            is_url = False
        if not is_url:
            raise ValueError(
                f"expected apprise URLs such as mailto://user:password@example.org, "
                f"got something else as number {number}"
            )
    return urls


def agent_template(command: str) -> str:
    """An argv template with {prompt} in it and `~` expanded; empty stays empty."""
    parts = shlex.split(command)
    if parts and not any("{prompt}" in part for part in parts):
        raise ValueError(
            "expected an argv template with {prompt} in it, such as "
            f"'claude -p -- {{prompt}}', got {command!r}"
        )
    if any(part.startswith("~") for part in parts):
        return shlex.join(map(expanded_path, parts))
    return command


def readings_of(secret: str) -> set[str]:
    """What a webhook secret says: as it is, and the key after whsec_ as text and decoded."""
    texts = {secret.strip(), secret.strip().removeprefix("whsec_")} - {""}
    return texts | {decoded for text in texts if (decoded := _decoded(text)) is not None}


def _decoded(text: str) -> str | None:
    """The text in base64; None when that is not what it is."""
    try:
        return base64.b64decode(text, validate=True).decode().strip()
    except ValueError:
        return None

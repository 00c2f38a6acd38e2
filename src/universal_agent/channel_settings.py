"""UA_NOTIFY_CHANNELS: channels beyond the dashboard, with rules of their own.

The value is a JSON list, or the path of a file that holds one. Messages of errors name the channel
and the key, and never repeat a URL or a secret.
"""

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from universal_agent.files import read_regular
from universal_agent.setting_values import (
    check_web_address,
    expanded_path,
    known_zone,
    service_addresses,
)

_FILE_BYTES = 256 * 1024

_MOST_CHANNELS = 50

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.IGNORECASE | re.ASCII)

_SEVERITIES = ("info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSetting:
    """One entry of UA_NOTIFY_CHANNELS."""

    name: str
    #: A URL of apprise; empty for a webhook.
    url: str = ""
    #: The address of a signed POST; empty for a URL of apprise.
    webhook: str = ""
    #: Signs what is posted to `webhook`.
    secret: str = ""
    #: The least severity that is delivered.
    severity: str = "info"
    #: "22:00-07:00": what is not urgent waits until their end.
    quiet_hours: str = ""
    #: "08:00": what is not urgent waits for this time of day, and is one message then.
    digest: str = ""
    #: Whether errors are delivered during quiet hours and before the digest.
    urgent: bool = True
    #: Whether what nobody acknowledged is delivered again.
    reminders: bool = True
    #: The zone of `quiet_hours` and `digest`; empty: the gateway's.
    timezone: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that are masked in all output, URLs apart."""
        return (self.secret, self.secret.removeprefix("whsec_"))


def _read(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return ()
    if not text.startswith("["):
        text = _file(text)
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("expected a JSON list of channels, got something else") from None
    if not isinstance(entries, list) or len(entries) > _MOST_CHANNELS:
        raise ValueError(
            f"expected a JSON list of up to {_MOST_CHANNELS} channels, got something else"
        )
    channels = tuple(_entry(number, entry) for number, entry in enumerate(entries, 1))
    names = [channel.name.lower() for channel in channels]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise ValueError(f"expected names that differ, got {name!r} twice")
    return channels


def _file(text: str) -> str:
    path = Path(expanded_path(text))
    what = f"expected a JSON list that begins with [, or the path of a file with one, got {text!r}"
    try:
        # The operator's own choice may be a link to where secrets are kept.
        return read_regular(path.resolve(), limit=_FILE_BYTES).decode()
    except OSError as error:
        raise ValueError(f"{what} ({error.strerror})") from None
    except (UnicodeDecodeError, ValueError):
        raise ValueError(f"{what} (not UTF-8)") from None


def _entry(number: int, entry: object) -> ChannelSetting:
    where = f"channel {number}"
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object, got something else")
    types = {field.name: field.type for field in fields(ChannelSetting)}
    for key, value in entry.items():
        if key not in types:
            known = ", ".join(types)
            raise ValueError(f"{where}: expected one of {known}, got {key[:40]!r}")
        if not isinstance(value, bool if types[key] in (bool, "bool") else str):
            expected = "true or false" if types[key] in (bool, "bool") else "text"
            raise ValueError(f"{where}: expected {expected} as {key}, got something else")
    name = entry.get("name", "")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{where}: expected a name of up to 32 letters, digits, - and _, got {name[:40]!r}"
        )
    try:
        return _checked(ChannelSetting(**entry))
    except ValueError as error:
        raise ValueError(f"{where} ({name}): {error}") from None


def _checked(channel: ChannelSetting) -> ChannelSetting:
    if bool(channel.url) == bool(channel.webhook):
        got = "both" if channel.url else "neither"
        raise ValueError(f"expected url (of apprise) or webhook (https://...), got {got}")
    if channel.webhook:
        check_web_address(channel.webhook)
    elif channel.secret:
        raise ValueError("expected secret only with webhook, got it with url")
    else:
        service_addresses((channel.url,))
    if channel.severity not in _SEVERITIES:
        expected = ", ".join(_SEVERITIES)
        raise ValueError(f"expected a severity of {expected}, got {channel.severity[:40]!r}")
    known_zone(channel.timezone)
    return channel


def channels_of(value: Any) -> tuple[ChannelSetting, ...]:
    """The channels in a value of UA_NOTIFY_CHANNELS. Raises ValueError."""
    found = _read(value)
    return tuple(found) if isinstance(found, tuple | list) else ()


Channels = Annotated[tuple[ChannelSetting, ...], NoDecode, BeforeValidator(channels_of)]

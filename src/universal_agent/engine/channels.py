"""Channels beyond the dashboard: services of apprise, and signed webhooks."""

import hashlib
import json
import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from universal_agent import __version__
from universal_agent.channel_settings import ChannelSetting
from universal_agent.clock import Clock
from universal_agent.domain.active_hours import ActiveHours
from universal_agent.domain.channels import ChannelRules, minute_of_day
from universal_agent.domain.deliveries import Message
from universal_agent.domain.notifications import Severity
from universal_agent.errors import InvalidInput, SettingsError
from universal_agent.masking import mask
from universal_agent.runners.webhook import signer
from universal_agent.settings import Settings

#: How long each step of an attempt may take: to connect, to send, to receive.
_STEP_SECONDS = 15.0

#: Answers about a message that asking again does not change.
_MESSAGE_REFUSALS = frozenset({400, 413, 414, 415, 422})

#: Answers about the channel itself: a bad key, or an address that does not exist.
_CHANNEL_REFUSALS = frozenset({401, 403, 404, 405, 407, 410})

_STATUS = re.compile(r"error=(\d{3})\b")

#: Services whose host is the host of their URL.
_PLAIN = {"json": 80, "xml": 80, "form": 80, "jsons": 443, "xmls": 443, "forms": 443}


class DeliveryFailed(Exception):
    """A channel did not take a message."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        #: No message is taken until a person changes something.
        self.channel_refused = status in _CHANNEL_REFUSALS
        #: This message is not taken later either.
        self.refused = self.channel_refused or status in _MESSAGE_REFUSALS


class Target(Protocol):
    """A way to people beyond the dashboard."""

    #: Stays the same over restarts; no part of it is secret.
    target_id: str
    #: What people call it.
    name: str
    #: The kind of its address: "webhook", or the service of apprise.
    service: str

    def send(self, message: Message) -> str:
        """Deliver a message, from a thread that may wait, and return the answer.

        Raises DeliveryFailed.
        """
        ...

    def reach(self) -> str:
        """Connect without sending a message, and return what was reached.

        Raises DeliveryFailed.
        """
        ...


class AppriseTarget:
    """A service of apprise, by its URL."""

    def __init__(self, service: Any, *, target_id: str, name: str) -> None:
        self._service = service
        self.target_id = target_id
        self.name = name
        self.service = str(service.service_name)

    def send(self, message: Message) -> str:
        with _said_here() as said:
            delivered = self._service.notify(title=message.title, body=message.text)
        if not delivered:
            reason = "; ".join(said) or "the service did not take it"
            status = _STATUS.search(reason)
            raise DeliveryFailed(mask(reason), status=None if status is None else int(status[1]))
        return "taken"

    def reach(self) -> str:
        address = self._address()
        if address is None:
            return f"{self.service} has no address to try without a message"
        return _connect(*address)

    def _address(self) -> tuple[str, int, bool] | None:
        service = self._service
        if host := getattr(service, "smtp_host", None):
            return str(host), int(service.port or 25), False
        api = urlsplit(str(getattr(service, "notify_url", "")).partition("{")[0])
        if api.hostname:
            is_tls = api.scheme == "https"
            return api.hostname, api.port or (443 if is_tls else 80), is_tls
        schema = urlsplit(service.url()).scheme
        if schema in _PLAIN and service.host:
            return str(service.host), int(service.port or _PLAIN[schema]), schema.endswith("s")
        return None


@contextmanager
def _said_here() -> Iterator[list[str]]:
    """Collects what apprise logs in this thread: it reports reasons in no other way."""
    said: list[str] = []
    here = threading.get_ident()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here:
                said.append(record.getMessage())

    handler, logger = Handler(logging.WARNING), logging.getLogger("apprise")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


class WebhookTarget:
    """A POST to a URL of the operator's, signed as in Standard Webhooks."""

    service = "webhook"

    def __init__(self, url: str, secret: str, clock: Clock, *, name: str) -> None:
        self._url = url
        self._clock = clock
        self._signer = signer(secret)
        self.target_id = self.name = name

    def send(self, message: Message) -> str:
        now = self._clock.now()
        body = json.dumps(
            {
                "type": "notifications",
                "id": message.message_id,
                "timestamp": now.isoformat(),
                "title": message.title,
                "message": message.text,
                "notifications": list(message.notifications),
            }
        )
        headers = {
            "content-type": "application/json",
            "user-agent": f"universal-agent/{__version__}",
            "webhook-id": message.message_id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if self._signer is not None:
            headers["webhook-signature"] = self._signer.sign(message.message_id, now, body)
        try:
            answer = httpx.post(
                self._url, content=body.encode(), headers=headers, timeout=_STEP_SECONDS
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            reason = str(error) or type(error).__name__
            raise DeliveryFailed(mask(f"no complete answer: {reason}")) from None
        said = f"HTTP {answer.status_code}"
        if not answer.is_success:
            raise DeliveryFailed(said, status=answer.status_code)
        return said

    def reach(self) -> str:
        url = httpx.URL(self._url)
        is_tls = url.scheme == "https"
        return _connect(url.host, url.port or (443 if is_tls else 80), is_tls)


def _connect(host: str, port: int, is_tls: bool) -> str:
    try:
        with socket.create_connection((host, port), timeout=_STEP_SECONDS) as connection:
            if is_tls:
                context = ssl.create_default_context()
                with context.wrap_socket(connection, server_hostname=host):
                    return "a TLS connection was made"
            return "a connection was made"
    except OSError as error:
        raise DeliveryFailed(mask(f"no connection: {error.strerror or error}")) from None


@dataclass(frozen=True, slots=True)
class Channel:
    """A target with its rules."""

    target: Target
    rules: ChannelRules

    @property
    def target_id(self) -> str:
        """The id of the target."""
        return self.target.target_id

    @property
    def name(self) -> str:
        """What people call it."""
        return self.target.name


def build_channels(settings: Settings, clock: Clock) -> list[Channel]:
    """The channels of UA_NOTIFY_URLS and UA_NOTIFY_CHANNELS.

    Raises SettingsError, without repeating a URL or a secret.
    """
    plain = ChannelRules(timezone=settings.default_timezone)
    channels = [Channel(target, plain) for target in apprise_targets(settings.notify_urls)]
    taken = {channel.name for channel in channels}
    for setting in settings.notify_channels:
        where = f"UA_NOTIFY_CHANNELS: {setting.name}"
        if setting.name.lower() in taken:
            raise SettingsError(
                f"{where}: expected another name, got that of one in UA_NOTIFY_URLS"
            )
        try:
            channels.append(Channel(_target(setting, clock), _rules(setting, settings)))
        except InvalidInput as error:
            raise SettingsError(f"{where}: {error.message}") from None
    return channels


def _target(setting: ChannelSetting, clock: Clock) -> Target:
    where = f"UA_NOTIFY_CHANNELS: {setting.name}"
    if setting.webhook:
        try:
            return WebhookTarget(setting.webhook, setting.secret, clock, name=setting.name)
        except SettingsError:
            raise SettingsError(f"{where}: expected a secret in base64 after whsec_") from None
    service = _service(setting.url, "UA_NOTIFY_CHANNELS")
    if service is None:
        raise SettingsError(f"{where}: expected a URL of apprise, which does not understand it")
    return AppriseTarget(service, target_id=setting.name, name=setting.name)


def _rules(setting: ChannelSetting, settings: Settings) -> ChannelRules:
    quiet, digest = setting.quiet_hours, setting.digest
    return ChannelRules(
        least=Severity(setting.severity),
        quiet=ActiveHours.parse(quiet, field="quiet_hours") if quiet else None,
        digest=minute_of_day(digest, field="digest") if digest else None,
        urgent=setting.urgent,
        reminders=setting.reminders,
        timezone=setting.timezone or settings.default_timezone,
    )


def _service(url: str, variable: str) -> Any:
    try:
        import apprise
    except ImportError:
        raise SettingsError(
            f"{variable} is set, but apprise is not installed: install universal-agent[notify]"
        ) from None
    return apprise.Apprise.instantiate(url)


def apprise_targets(urls: Sequence[str]) -> list[AppriseTarget]:
    """The targets of UA_NOTIFY_URLS, each once. Raises SettingsError, without repeating a URL."""
    targets: dict[str, AppriseTarget] = {}
    for number, url in enumerate(urls, 1):
        service = _service(url, "UA_NOTIFY_URLS")
        if service is None:
            raise SettingsError(
                f"UA_NOTIFY_URLS: expected URLs of apprise, which does not understand number "
                f"{number}"
            )
        target_id = hashlib.blake2b(url.encode(), digest_size=8).hexdigest()
        targets.setdefault(
            target_id, AppriseTarget(service, target_id=target_id, name=f"url-{number}")
        )
    return list(targets.values())

"""The runner `http`: one signed POST that describes the run.

The command is the URL. The message is signed as in Standard Webhooks; ssrf.py decides which targets
are allowed. A 2xx response is success, and its body is the run's output.
"""

import base64
import binascii
import json
import ssl

import httpx
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from universal_agent import __version__
from universal_agent.clock import Clock, SystemClock
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.run import RunStatus
from universal_agent.errors import InvalidInput, SettingsError
from universal_agent.runners.base import RunRequest, RunResult, check_command
from universal_agent.runners.limits import classify_response
from universal_agent.runners.output import RunOutput, one_line
from universal_agent.runners.shortage import raise_shortage
from universal_agent.runners.ssrf import (
    GuardedTransport,
    Resolve,
    TargetGuard,
    blocked,
    system_resolve,
)
from universal_agent.runners.time_limit import time_limit
from universal_agent.settings import Settings
from universal_agent.threads import FILES

#: How much of a response is read.
ANSWER_BYTES = 64 * 1024
#: How much of an error's body is read for its class.
_ERROR_BYTES = 8 * 1024
MAX_REDIRECTS = 3

#: All but 303 repeat the same request; a POST that became a GET would deliver nothing.
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_HEADERS = {
    "content-type": "application/json",
    "user-agent": f"universal-agent/{__version__}",
    "accept-encoding": "identity",
}

_SECRET_PREFIX = "whsec_"  # noqa: S105 - says that what follows is base64


def signer(secret: str) -> Webhook | None:
    """The signer of messages; None without a secret. Raises SettingsError for a bad key."""
    if not secret:
        return None
    if not secret.startswith(_SECRET_PREFIX):
        return Webhook(secret.encode())
    try:
        # Validated here: the library ignores characters that are not base64, so a typo would
        # result in a different key.
        return Webhook(base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True))
    except (binascii.Error, EmptyWebhookSecretError):
        raise SettingsError("UA_WEBHOOK_SECRET: expected a key in base64 after whsec_") from None


def message(request: RunRequest) -> bytes:
    """The JSON body of the request."""
    facts: dict[str, object] = {
        "run_id": request.run_id,
        "job_id": request.job_id,
        "event_id": request.event_id,
        "title": request.title,
        "scheduled_at": request.scheduled_at.timestamp(),
        "scheduled_at_utc": request.scheduled_at.isoformat(),
        "attempt": request.attempt,
        "trigger": request.trigger,
        "metadata": dict(request.metadata),
    }
    if request.deadline is not None:
        facts["deadline_utc"] = f"{request.deadline:%Y-%m-%dT%H:%M:%SZ}"
    if request.late_seconds is not None:
        facts["late_seconds"] = request.late_seconds
    if request.approved_by is not None:
        facts["approved_by"] = request.approved_by
    return json.dumps(facts).encode()


class _NoAnswer(httpx.TransportError):
    """The connection broke before an answer began."""


#: Errors after which nothing of an answer has come.
_UNANSWERED = (httpx.ConnectError, _NoAnswer)
_UNREACHABLE = Ending(kind=EndClass.UNREACHABLE)


class WebhookRunner:
    """Posts runs to URLs."""

    name = "http"

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        connect_seconds: float = 5.0,
        total_seconds: float = 30.0,
    ) -> None:
        self._clock = clock or SystemClock()
        self._guard = TargetGuard(settings, resolve)
        self._signer = signer(settings.webhook_secret)
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._transport: GuardedTransport | None = None

    def check(self, command: str) -> None:
        check_command(command)
        self._guard.check(_url(command))

    async def run(self, request: RunRequest) -> RunResult:
        try:
            async with time_limit(self._clock, self._total_seconds):
                return await self._deliver(request)
        except InvalidInput as refused:
            return _error(refused.message)
        except TimeoutError:
            return _error(f"no complete answer in {self._total_seconds:g} s")
        except httpx.ConnectTimeout:
            return _error(f"no connection in {self._connect_seconds:g} s", _UNREACHABLE)
        except httpx.TransportError as error:
            if isinstance(error, httpx.ConnectError):
                raise_shortage(error)
            sentence = f"no complete answer: {one_line(str(error)) or type(error).__name__}"
            return _error(sentence, _UNREACHABLE if isinstance(error, _UNANSWERED) else None)

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None

    async def _deliver(self, request: RunRequest) -> RunResult:
        sender, url = await self._sender(), _url(request.command)
        method, body = "POST", message(request)
        headers = {**_HEADERS, **self._signed(request.event_id, body)}
        for _ in range(MAX_REDIRECTS + 1):
            outgoing = httpx.Request(
                method,
                url,
                headers=headers,
                content=body,
                extensions={"timeout": {"connect": self._connect_seconds}},
            )
            try:
                response = await sender.handle_async_request(outgoing)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
                raise _NoAnswer(str(error)) from error
            try:
                location = response.headers.get("location")
                if response.status_code not in _REDIRECTS or location is None:
                    body = await _store_body(response, request.output)
                    return self._verdict(response, url, body)
            finally:
                await response.aclose()
            if response.status_code == httpx.codes.SEE_OTHER:
                # The receiver has the message; its result is at another address.
                method, body, headers = "GET", b"", _HEADERS
            url = _redirected(url, location)
        return _error(f"more than {MAX_REDIRECTS} redirects, the last to {url.host}")

    def _signed(self, message_id: str, body: bytes) -> dict[str, str]:
        """The headers of Standard Webhooks.

        The id is the slot's and the same for every attempt, so a receiver can drop duplicates.
        """
        now = self._clock.now()
        headers = {"webhook-id": message_id, "webhook-timestamp": str(int(now.timestamp()))}
        if self._signer is not None:
            headers["webhook-signature"] = self._signer.sign(message_id, now, body.decode())
        return headers

    def _verdict(self, response: httpx.Response, url: httpx.URL, body: bytes) -> RunResult:
        status = response.status_code
        if response.is_success:
            return RunResult(status=RunStatus.SUCCESS, exit_code=status)
        return RunResult(
            status=RunStatus.ERROR,
            error=f"HTTP {status} from {url.host}",
            exit_code=status,
            ending=classify_response(
                status,
                response.headers,
                body.decode("utf-8", "replace"),
                host=url.host,
                now=self._clock.now(),
            ),
        )

    async def _sender(self) -> GuardedTransport:
        """The transport, created at first use in a thread: reading the certificates is slow."""
        if self._tls is None:
            self._tls = await FILES.run(httpx.create_ssl_context)
        if self._transport is None:
            self._transport = GuardedTransport(self._guard, self._tls)
        return self._transport


def _url(text: str) -> httpx.URL:
    try:
        return httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise InvalidInput(f"expected a URL: {error}", field="command") from None


def _redirected(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = url.join(location)
    except httpx.InvalidURL as error:
        raise InvalidInput(f"redirected to an invalid URL: {error}") from None
    if url.scheme == "https" and target.scheme != "https":
        raise blocked(f"redirected from https to {target.scheme[:20]}")
    return target


async def _store_body(response: httpx.Response, output: RunOutput) -> bytes:
    """Write the body to the output, up to a limit; returns its beginning."""
    room, beginning = ANSWER_BYTES, b""
    # Raw: a small compressed body could decompress to a huge one.
    async for piece in response.aiter_raw():
        output.write(piece[:room])
        beginning += piece[: _ERROR_BYTES - len(beginning)]
        room -= len(piece)
        if room < 0:
            output.write(b"\n[the rest of the answer was not read]\n")
            break
    return beginning


def _error(sentence: str, ending: Ending | None = None) -> RunResult:
    return RunResult(status=RunStatus.ERROR, error=sentence, ending=ending)

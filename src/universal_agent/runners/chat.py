"""An OpenAI-compatible endpoint that answers prompts.

`POST {base}/chat/completions` with `stream: true`; the text goes to the run's output as it arrives.
chat_reply.py decides what counts as a complete reply.
"""

from datetime import datetime, timedelta
from typing import Any

import httpx

from universal_agent.clock import Clock
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.run import RunStatus
from universal_agent.domain.wording import describe_duration
from universal_agent.errors import SettingsError
from universal_agent.runners.answers import body_words
from universal_agent.runners.base import RunResult
from universal_agent.runners.chat_reply import EndpointFailed, Reply, ReplyFailed
from universal_agent.runners.limits import classify_document, classify_response
from universal_agent.runners.output import RunOutput, one_line
from universal_agent.runners.shortage import raise_shortage
from universal_agent.runners.thoughts import ReplySink
from universal_agent.runners.time_limit import IdleLimit
from universal_agent.setting_values import check_web_address

#: How much of an error's body is read for its message.
_ERROR_BYTES = 8 * 1024

#: The longest reply that is kept in memory, including thoughts without an opening tag.
_TEXT_BYTES = 1024 * 1024

_COMPLETIONS = "/chat/completions"
_REFUSED = {
    401: "the endpoint did not accept UA_AGENT_API_KEY",
    402: "the endpoint asks for payment: the account is out of credit",
    403: "the key in UA_AGENT_API_KEY may not do this",
    404: "no such model, or UA_AGENT_BASE_URL is wrong",
    429: "the endpoint's rate limit or quota is used up",
}


_UNREACHABLE = Ending(kind=EndClass.UNREACHABLE)


class ChatEndpoint:
    """The endpoint that the operator configured: no target guard applies, and proxies are used."""

    def __init__(
        self,
        base_url: str,
        *,
        model: str,
        api_key: str,
        clock: Clock,
        connect_seconds: float,
        silence_seconds: float,
    ) -> None:
        self._url = _completions(base_url)
        self._model = model
        self._clock = clock
        self._silence_seconds = silence_seconds
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            # The idle timeout counts text, not bytes: see _ask.
            timeout=httpx.Timeout(None, connect=connect_seconds),
        )

    async def answer(self, prompt: str, *, model: str | None, output: RunOutput) -> RunResult:
        """Write the reply to `output` as it arrives; the result says how it ended."""
        messages = [{"role": "user", "content": prompt}]
        try:
            status = await self._ask(messages, model or self._model, output)
        except ReplyFailed as failed:
            return RunResult(
                status=RunStatus.ERROR,
                error=str(failed),
                exit_code=failed.status,
                ending=failed.ending,
            )
        return RunResult(status=RunStatus.SUCCESS, exit_code=status)

    async def reply(self, prompt: str, *, instructions: str, max_bytes: int) -> str:
        """The whole reply, without thoughts. Raises ReplyFailed, also if it exceeds `max_bytes`."""
        messages = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": prompt},
        ]
        text = _ReplyText()
        await self._ask(messages, self._model, text)
        if len(text.data) > max_bytes:
            raise ReplyFailed(f"expected a reply of at most {max_bytes} bytes")
        return text.data.decode("utf-8", "replace")

    async def _ask(self, messages: list[dict[str, str]], model: str, sink: ReplySink) -> int:
        """Forward the reply as it arrives; returns the status. Raises ReplyFailed if incomplete."""
        question: dict[str, Any] = {"messages": messages, "stream": True}
        if model:
            question["model"] = model
        status: int | None = None
        is_alive = False
        ending: Ending | None = None
        try:
            async with IdleLimit(self._clock, self._silence_seconds) as limit:
                reply = Reply(sink, on_progress=limit.renew)
                async with self._client.stream("POST", self._url, json=question) as response:
                    status, is_alive = response.status_code, True
                    if status != httpx.codes.OK:
                        raise await self._refusal(response)
                    await reply.read(response)
        except ReplyFailed as failed:
            reason, ending = str(failed), failed.ending
            if isinstance(failed, EndpointFailed):
                ending = classify_document(
                    failed.answer, failed.said, host=self._url.host, now=self._clock.now()
                )
        except TimeoutError:
            if reply.has_ended:
                reply.judge()
                return httpx.codes.OK
            reason = self._silence(has_answered=is_alive)
            ending = None if is_alive else _UNREACHABLE
        except httpx.TimeoutException:
            reason, ending = f"{self._url.host} sent nothing in time", _UNREACHABLE
        except httpx.HTTPError as broken:
            if isinstance(broken, httpx.ConnectError):
                raise_shortage(broken)
            said = one_line(str(broken)) or type(broken).__name__
            reason = f"the connection to {self._url.host} failed: {said}"
            ending = None if is_alive else _UNREACHABLE
        else:
            return status
        raise ReplyFailed(reason, status, ending)

    async def close(self) -> None:
        await self._client.aclose()

    def _silence(self, *, has_answered: bool) -> str:
        if not has_answered:
            return f"{self._url.host} sent nothing in time"
        length = describe_duration(timedelta(seconds=self._silence_seconds))
        return f"{self._url.host} sent no text for {length}"

    async def _refusal(self, response: httpx.Response) -> ReplyFailed:
        """The failure for a response with a status other than 200."""
        status = response.status_code
        if response.has_redirect_location:
            return ReplyFailed(f"HTTP {status} to {_redirection(response)}")
        body = b""
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > _ERROR_BYTES:
                break
        text, now = body.decode("utf-8", "replace"), self._clock.now()
        ending = classify_response(status, response.headers, text, host=self._url.host, now=now)
        meaning = _REFUSED.get(status)
        if ending is not None and ending.kind is EndClass.QUOTA:
            meaning = "the account's quota is used up"
        parts = (
            f"HTTP {status}",
            meaning,
            # The body of a refusal may quote the key.
            None if status in (401, 403) else body_words(text),
            _said_until(ending, now),
        )
        return ReplyFailed("; ".join(part for part in parts if part), ending=ending)


class _ReplyText:
    """A sink that keeps a reply in memory."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > _TEXT_BYTES:
            raise ReplyFailed(f"expected a reply of at most {_TEXT_BYTES} bytes")

    def write_apart(self, data: bytes) -> None:
        """Discard thoughts: a program has no use for them."""

    def restart(self) -> None:
        self.data.clear()


def _said_until(ending: Ending | None, now: datetime) -> str | None:
    """When the service asks to be called again, in words; None if it does not say."""
    if ending is None or ending.until is None:
        return None
    wait = ending.until - now
    if wait < timedelta(hours=1):
        return f"retry after {wait.total_seconds():.6g} s"
    return f"retry after {ending.until:%Y-%m-%d %H:%M:%S} UTC"


def _redirection(response: httpx.Response) -> str:
    """The target of a redirect, and the remedy: the key is not sent to another address."""
    try:
        target = response.url.join(response.headers["location"])
    except httpx.InvalidURL:
        return "an invalid URL"
    address = str(target.copy_with(username=None, password=None, query=None, fragment=None))
    base = address.removesuffix("/").removesuffix(_COMPLETIONS)
    if target.path.rstrip("/").endswith(_COMPLETIONS):
        return f"{one_line(address)}: set UA_AGENT_BASE_URL to {one_line(base)}"
    return f"{one_line(address)}: UA_AGENT_BASE_URL is not the address of the API"


def _completions(base_url: str) -> httpx.URL:
    try:
        check_web_address(base_url)
    except ValueError as error:
        raise SettingsError(f"UA_AGENT_BASE_URL: {error}") from None
    return httpx.URL(base_url.rstrip("/") + _COMPLETIONS)

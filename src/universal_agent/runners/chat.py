"""How does a prompt get its reply from an OpenAI-compatible endpoint?

`POST {base}/chat/completions` with `stream: true`; the text goes to the run's output as it comes.
A reply counts only when the endpoint said that it is complete: a connection that closed, a reply
cut at a token limit, an empty one are errors, though what came stays in the output.
"""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from universal_agent.domain.run import RunStatus
from universal_agent.errors import SettingsError
from universal_agent.runners.base import RunResult
from universal_agent.runners.output import RunOutput, one_line

#: The longest line of a stream, and the longest reply that does not come as a stream.
_LINE_BYTES = 1024 * 1024
#: How much of an error's body is read for its message.
_ERROR_BYTES = 8 * 1024

_DONE = "[DONE]"
_FINISHED_BADLY = {
    "length": "the reply was cut at the model's token limit",
    "content_filter": "the reply was stopped by the endpoint's content filter",
    "tool_calls": "the model asked for a tool, and there is none",
    "function_call": "the model asked for a tool, and there is none",
}
_REFUSED = {
    401: "the endpoint did not accept UA_AGENT_API_KEY",
    402: "the endpoint asks for payment: the account is out of credit",
    403: "the key in UA_AGENT_API_KEY may not do this",
    404: "no such model, or UA_AGENT_BASE_URL is wrong",
    429: "the endpoint's rate limit or quota is used up",
}


class ReplyFailed(Exception):
    """The endpoint did not give a complete reply; one sentence says why."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        #: What the endpoint had answered with by then.
        self.status = status


class ChatEndpoint:
    """One endpoint, as an operator has set it: no guard, and the environment's proxies count."""

    def __init__(
        self,
        base_url: str,
        *,
        model: str,
        api_key: str,
        connect_seconds: float,
        silence_seconds: float,
    ) -> None:
        self._url = _completions(base_url)
        self._model = model
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(silence_seconds, connect=connect_seconds, pool=None),
        )

    async def answer(self, prompt: str, *, model: str | None, output: RunOutput) -> RunResult:
        """Write the reply to `output` as it comes, and say how it ended."""
        messages = [{"role": "user", "content": prompt}]
        try:
            status = await self._ask(messages, model or self._model, output.write)
        except ReplyFailed as failed:
            return RunResult(status=RunStatus.ERROR, error=str(failed), exit_code=failed.status)
        return RunResult(status=RunStatus.SUCCESS, exit_code=status)

    async def reply(self, prompt: str, *, instructions: str, max_bytes: int) -> str:
        """The whole reply. Raises ReplyFailed, also for one that is longer."""
        text = bytearray()

        def take(data: bytes) -> None:
            text.extend(data)
            if len(text) > max_bytes:
                raise ReplyFailed(f"expected a reply of at most {max_bytes} bytes")

        messages = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": prompt},
        ]
        await self._ask(messages, self._model, take)
        return text.decode()

    async def _ask(
        self, messages: list[dict[str, str]], model: str, write: Callable[[bytes], object]
    ) -> int:
        """Hand on the reply as it comes; the status. Raises ReplyFailed when it is not complete."""
        question: dict[str, Any] = {"messages": messages, "stream": True}
        if model:
            question["model"] = model
        status = None
        try:
            async with self._client.stream("POST", self._url, json=question) as response:
                status = response.status_code
                if status != httpx.codes.OK:
                    raise ReplyFailed(await _refusal(response))
                await _Reply(write).read(response)
        except ReplyFailed as failed:
            reason = str(failed)
        except httpx.TimeoutException:
            reason = f"{self._url.host} sent nothing in time"
        except httpx.HTTPError as broken:
            said = one_line(str(broken)) or type(broken).__name__
            reason = f"the connection to {self._url.host} failed: {said}"
        else:
            return status
        raise ReplyFailed(reason, status)

    async def close(self) -> None:
        await self._client.aclose()


class _Reply:
    """A reply as it comes together."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._has_text = False
        self._finish: str | None = None
        self._done = False

    async def read(self, response: httpx.Response) -> None:
        """Read to the end. Raises ReplyFailed when that is not the end of a complete reply."""
        if response.headers.get("content-type", "").startswith("application/json"):
            # Some endpoints do not stream.
            self._take(await _whole(response), "message")
        else:
            async for data in _events(response):
                if data == _DONE:
                    self._done = True
                    break
                self._take(data, "delta")
        if problem := self._problem():
            raise ReplyFailed(problem)

    def _take(self, data: str, part: str) -> None:
        """One chunk of a stream (its text is in `delta`) or a whole reply (in `message`)."""
        chunk = _json(data)
        if not isinstance(chunk, dict):
            raise ReplyFailed(f"expected a JSON object, got {one_line(data, 80)!r}")
        if chunk.get("error"):
            raise ReplyFailed(f"the endpoint failed: {_message(chunk) or one_line(data)}")
        # The last chunk of a stream may hold only the usage, and no choice.
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._take_text(choice.get(part))
                self._finish = str(choice.get("finish_reason") or "") or self._finish

    def _take_text(self, message: object) -> None:
        text = message.get("content") if isinstance(message, dict) else None
        if isinstance(text, str):
            self._has_text = self._has_text or bool(text.strip())
            self._write(text.encode("utf-8", "replace"))

    def _problem(self) -> str | None:
        """Why this is no complete reply; None when it is one."""
        if self._finish in _FINISHED_BADLY:
            return _FINISHED_BADLY[self._finish]
        if self._finish is None and not self._done:
            return "the reply broke off before it was complete"
        return None if self._has_text else "the reply was empty"


async def _events(response: httpx.Response) -> AsyncIterator[str]:
    """The data of each event. These endpoints put it on one line, so a line is an event."""
    rest = b""
    async for piece in response.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line.removeprefix(b"data:").strip().decode("utf-8", "replace")
        if len(rest) > _LINE_BYTES:
            raise ReplyFailed(f"expected lines of at most {_LINE_BYTES} bytes")
    if rest.startswith(b"data:"):
        yield rest.removeprefix(b"data:").strip().decode("utf-8", "replace")


async def _whole(response: httpx.Response) -> str:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _LINE_BYTES:
            raise ReplyFailed(f"expected a reply of at most {_LINE_BYTES} bytes")
    return body.decode("utf-8", "replace")


async def _refusal(response: httpx.Response) -> str:
    """One sentence about an answer other than 200."""
    status = response.status_code
    if status in (401, 403):
        return f"HTTP {status}; {_REFUSED[status]}"  # what came with it may quote the key
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _ERROR_BYTES:
            break
    text = body.decode("utf-8", "replace")
    wait = response.headers.get("retry-after")
    parts = (
        _REFUSED.get(status),
        _message(_json(text)) or one_line(text),
        f"retry after {one_line(wait, 40)}" if wait else None,
    )
    return "; ".join((f"HTTP {status}", *(part for part in parts if part)))


def _json(text: str) -> object:
    """What the text says; None when it is not JSON."""
    try:
        answer: object = json.loads(text)
    except ValueError:
        return None
    return answer


def _message(answer: object) -> str:
    """What went wrong, in the endpoint's words: `error.message`, or `error` itself, or nothing."""
    error = answer.get("error") if isinstance(answer, dict) else None
    said = error.get("message") if isinstance(error, dict) else error
    return one_line(said) if isinstance(said, str) else ""


def _completions(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.rstrip("/") + "/chat/completions")
    except httpx.InvalidURL as error:
        raise SettingsError(f"UA_AGENT_BASE_URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise SettingsError(f"UA_AGENT_BASE_URL: expected an http or https URL, got {base_url!r}")
    return url

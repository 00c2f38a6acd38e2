"""Idempotency-Key: a POST that comes again gets the same answer, and has no second effect.

Requests with one key come to their endpoint one after the other. The answer is kept under the key
in the transaction of the effect, where the endpoint says how to tell it from that (`answering`);
where it goes by steps, each step is kept under a part of the key (`once_in(request).part(...)`).
What has no durable effect is kept once it is done.
"""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Depends, Request, Response
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute

from universal_agent.api.wire import IdempotencyKey, once_of, runtime_of
from universal_agent.store import verbs
from universal_agent.store.keyed import AnswerInEffect, accompanied
from universal_agent.store.values import Once

_ANSWER = "answer"


def _take(key: IdempotencyKey = None) -> None:
    """Declares the header, so that it is validated and documented."""


class _Turns:
    """Requests with the same key, one at a time."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[Callable[[], None]]:
        """Wait for the key's turn, which lasts until the block ends or calls what it is given."""
        lock, count = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, count + 1
        has_turn = False

        def end() -> None:
            nonlocal has_turn
            if has_turn:
                has_turn = False
                lock.release()

        try:
            await lock.acquire()
            has_turn = True
            yield end
        finally:
            end()
            lock, count = self._locks.pop(key)
            if count > 1:
                self._locks[key] = lock, count - 1


class Reply:
    """How an endpoint answers after its effect."""

    def __init__(self, render: Callable[[Any], Mapping[str, Any]]) -> None:
        self._render = render
        self.in_effect: AnswerInEffect | None = None

    def encode(self, result: object) -> bytes:
        return orjson.dumps(self._render(result))

    def __call__(self, result: object) -> Response:
        """The answer that was kept with the effect, or that of `result`."""
        kept = None if self.in_effect is None else self.in_effect.kept
        return Response(kept or self.encode(result), media_type="application/json")


@contextmanager
def answering(
    request: Request, *of: type[Any], render: Callable[[Any], Mapping[str, Any]]
) -> Iterator[Reply]:
    """Keep `render(result)` under the request's key, in the transaction of the first write whose
    result is one of the types `of`. `render` is pure: it is called in the store's thread.
    """
    reply = Reply(render)
    once = once_in(request)
    if once is None:
        yield reply
        return
    now = runtime_of(request).clock.now()
    reply.in_effect = AnswerInEffect(once.part(_ANSWER), of, reply.encode, now=now)
    with accompanied(reply.in_effect.companion):
        yield reply
    request.state.is_kept = reply.in_effect.kept is not None


def once_in(request: Request) -> Once | None:
    """The key of a request to a OnceRoute, if it has one."""
    once: Once | None = getattr(request.state, "once", None)
    return once


def end_turn(request: Request) -> None:
    """Let the next request with the same key go on, and keep no answer: the effect is committed
    under the key, and what follows is a wait, which each of them may do.
    """
    if once_in(request) is not None:
        request.state.is_kept = True
        request.state.end_turn()


class OnceRoute(APIRoute):
    """For `APIRouter(route_class=...)`: every POST takes an Idempotency-Key.

    An endpoint that takes the `key` itself makes the key and the effect one transaction, and
    answers a repeat with what its effect has come to by then.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: set[str] | list[str] | None = None,
        dependencies: Sequence[Dependency] | None = None,
        **options: Any,
    ) -> None:
        self._keeps = (
            "POST" in (methods or ()) and "key" not in inspect.signature(endpoint).parameters
        )
        if self._keeps:
            dependencies = [*(dependencies or ()), Depends(_take)]
        super().__init__(path, endpoint, methods=methods, dependencies=dependencies, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        act = super().get_route_handler()
        return self._once(act) if self._keeps else act

    @staticmethod
    def _once(
        act: Callable[[Request], Coroutine[Any, Any, Response]],
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        turns = _Turns()

        async def handle(request: Request) -> Response:
            key = request.headers.get("Idempotency-Key")
            if not key:
                return await act(request)
            once = once_of(key, request, _asked(await request.body()))
            async with turns.turn(once.key) as end:
                answered = await _answered(request, once)
                if answered is not None:
                    return Response(answered, media_type="application/json")
                request.state.once = once
                request.state.end_turn = end
                response = await act(request)
                is_kept = getattr(request.state, "is_kept", False)
                if response.status_code == HTTPStatus.OK and not is_kept:
                    runtime = runtime_of(request)
                    answer = bytes(response.body).decode()
                    await runtime.store.write(
                        verbs.idempotency.keep_answer,
                        once.part(_ANSWER),
                        answer,
                        now=runtime.clock.now(),
                    )
                return response

        return handle


def _asked(body: bytes) -> bytes:
    """A body without what is no part of the request: how long its client waits."""
    if b'"wait_seconds"' not in body:
        return body
    try:
        content = json.loads(body)
    except ValueError:
        return body
    if isinstance(content, dict):
        content.pop("wait_seconds", None)
    return json.dumps(content, sort_keys=True).encode()


async def _answered(request: Request, once: Once) -> str | None:
    """What was answered to the key before."""
    store = runtime_of(request).store
    answered = await store.read(verbs.idempotency.answer_of, once.part(_ANSWER))
    if answered is not None:
        return answered
    # An earlier version kept answers where the names of what was made are.
    made = await store.read(verbs.idempotency.answer_of, once)
    return made if made is not None and made.startswith("{") else None

"""How does a POST whose answer was lost get the same answer again, and do nothing twice?

The store settles most repeats by itself: a decision is a compare-and-set, so the second of two is
refused. A client whose first answer was lost would be told so, and not what came of it. A
OnceRoute keeps what was answered under the request's Idempotency-Key.
"""

import inspect
from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Depends, Request, Response
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute

from universal_agent.api.wire import IdempotencyKey, once_of, runtime_of


def _take(key: IdempotencyKey = None) -> None:
    """Have the header checked, and told of in the document of the interface."""


class OnceRoute(APIRoute):
    """For `APIRouter(route_class=...)`: every POST takes an Idempotency-Key.

    An endpoint that takes the `key` itself makes the key and the deed one transaction. For the
    others what was done is kept before it is answered: only a gateway that dies in between, or two
    requests with one key at the same moment, leave it to the store to refuse the second.
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
        async def handle(request: Request) -> Response:
            key = request.headers.get("Idempotency-Key")
            if not key:
                return await act(request)
            store, clock = runtime_of(request).store, runtime_of(request).clock
            once = once_of(key, request, await request.body())
            answered = await store.answer_of(once)
            if answered is not None:
                return Response(answered, media_type="application/json")
            response = await act(request)
            if response.status_code == HTTPStatus.OK:
                await store.keep_answer(once, bytes(response.body).decode(), now=clock.now())
            return response

        return handle

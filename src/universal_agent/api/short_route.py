"""How do requests that come by the thousand reach their endpoint? By a shorter way.

FastAPI takes longer to bring a request with a body to its endpoint than the endpoint takes to
answer. A ShortRoute reads a plain request by itself: JSON that fits the model, and nothing else to
read. Every other request, a wrong one above all, goes FastAPI's way.
"""

from collections.abc import Callable, Coroutine
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

#: Headers that an endpoint may take.
_TAKEN = "idempotency-key"


class ShortRoute(APIRoute):
    """The route of an endpoint `(request, body: Model, ...)`; what else it takes has defaults."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        long_way = super().get_route_handler()
        endpoint = self.endpoint
        model: type[BaseModel] = get_type_hints(endpoint)["body"]

        async def handle(request: Request) -> Response:
            headers = request.headers
            if headers.get("content-type") == "application/json" and _TAKEN not in headers:
                try:
                    body = model.model_validate_json(await request.body())
                except ValidationError:
                    pass  # the long way says what is wrong
                else:
                    response: Response = await endpoint(request, body)
                    return response
            return await long_way(request)

        return handle

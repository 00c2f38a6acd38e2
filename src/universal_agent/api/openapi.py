"""Extensions of the OpenAPI document by layers outside the routes."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI


def extend_openapi(app: FastAPI, extend: Callable[[dict[str, Any]], None]) -> None:
    """Have `extend` change the document of `app`, once, when it is first asked for."""
    document_so_far = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            extend(document_so_far())
        assert app.openapi_schema is not None
        return app.openapi_schema

    # FastAPI's documented way of changing the document is to replace this method.
    app.openapi = document  # type: ignore[method-assign]

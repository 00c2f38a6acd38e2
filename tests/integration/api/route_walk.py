"""Which addresses does an application answer to, and which of them without a token?"""

import re
from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount

from tests.integration.api.exchange import exchange

#: All that may answer without a token, by design. A page is one of these or a file of the page.
PUBLIC = {
    ("GET", "/api/v1/health"),
    ("HEAD", "/api/v1/health"),
    ("GET", "/config"),
    ("POST", "/api/v1/auth/login"),
}


def addresses(routes: Sequence[BaseRoute], prefix: str = "") -> list[tuple[str, str]]:
    """Every method and path, through routers and mounts, with `x` for each parameter."""
    found = []
    for route in iter_route_contexts(routes):
        assert route.path is not None, f"expected a route with a path, got {route.original_route!r}"
        path = prefix + re.sub(r"{[^}]*}", "x", route.path)
        if isinstance(route.original_route, Mount):
            found += [("GET", f"{path}/"), ("GET", f"{path}/x"), ("POST", f"{path}/x")]
            found += addresses(route.original_route.routes or [], path)
        else:
            found += [(method, path) for method in sorted(route.methods or {"WEBSOCKET"})]
    return found


async def open_addresses(app: FastAPI) -> set[tuple[str, str]]:
    """The addresses that answer something else than 401 to a request without a token."""
    return {
        (method, path)
        for method, path in addresses(app.routes)
        if (await exchange(app, method, path)).status != 401
    }

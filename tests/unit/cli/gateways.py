"""A gateway that answers from a table, and an invocation that asks it."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from universal_agent.cli.client import Gateway
from universal_agent.cli.invocation import Invocation

Answer = dict[str, Any] | Callable[[httpx.Request], dict[str, Any]]


def gateway_with(answers: Mapping[str, Answer]) -> Gateway:
    """A gateway with an answer for each path; 404 for every other one."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = answers.get(request.url.path)
        if found is None:
            return httpx.Response(404, json={"detail": f"nothing at {request.url.path}"})
        return httpx.Response(200, json=found(request) if callable(found) else found)

    return Gateway("http://gateway", transport=httpx.MockTransport(answer))


def invocation_with(answers: Mapping[str, Answer], *, json: bool = False) -> Invocation:
    """An invocation whose gateway answers so."""
    ua = Invocation(json=json)
    ua.gateway = ua.reader = gateway_with(answers)
    return ua

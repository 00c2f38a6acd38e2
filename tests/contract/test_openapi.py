"""Does the running gateway do what its OpenAPI document says, whatever it is sent?

A real process is asked, over HTTP. Its runs are mocked: nothing that is made up here is executed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_url
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.acceptance.gateway import GatewayProcess
from universal_agent.api.app import create_app
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]

#: The stream does not end; tests/acceptance reads it.
_ENDLESS = "/api/v1/ops/scheduling/stream"


def _requests() -> Iterator[tuple[str, str, GenerationMode]]:
    """Method and path of everything that is described, asked well and badly.

    Where nothing can be given, nothing can be given badly.
    """
    app = create_app(Runtime(Settings(data_dir=Path("not-made"))))
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            if path == _ENDLESS:
                continue
            yield method, path, GenerationMode.POSITIVE
            if "parameters" in operation or "requestBody" in operation:
                yield method, path, GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    """What a gateway says about itself."""
    gateway = GatewayProcess(tmp_path_factory.mktemp("described"), UA_CRON_MOCK_RESPONSE="1")
    gateway.start()
    yield from_url(f"{gateway.base_url}/api/openapi.json")
    gateway.kill()


@pytest.mark.parametrize(("method", "path", "mode"), list(_requests()), ids=str)
def test_every_answer_is_one_that_is_described(
    described: BaseSchema, method: str, path: str, mode: GenerationMode
) -> None:
    operation = described[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS, timeout=10)

    ask()

"""What the documents are held to: the application and its description of itself."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from universal_agent.api.app import create_app
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings


@pytest.fixture
async def app(tmp_path: Path) -> FastAPI:
    """The application with all its routes, over a runtime that was not started."""
    return create_app(Runtime(Settings(data_dir=tmp_path)))


@pytest.fixture
async def operations(app: FastAPI) -> dict[str, dict[str, Any]]:
    """What OpenAPI says about each route: `GET /path` -> operation."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }

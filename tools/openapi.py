"""What does the API say of itself? Writes its OpenAPI document to a file.

./ua openapi        this, and the dashboard's types made from it
"""

import json
import sys
from pathlib import Path

from universal_agent.api.app import create_app
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings


def openapi_text() -> str:
    """The document as it is kept in the repository."""
    app = create_app(Runtime(Settings(data_dir=Path("not-made"))))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(openapi_text(), encoding="utf-8")

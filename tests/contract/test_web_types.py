"""Does the dashboard know the API as it is?"""

from pathlib import Path

from tools.openapi import openapi_text

_KEPT = Path(__file__).parents[2] / "web" / "openapi.json"


def test_the_dashboard_has_the_api_description_as_it_is() -> None:
    """./ua check holds the types to this document; `./ua openapi` writes both."""
    is_current = _KEPT.read_text(encoding="utf-8") == openapi_text()
    assert is_current, "the API changed: run ./ua openapi and commit what it writes"

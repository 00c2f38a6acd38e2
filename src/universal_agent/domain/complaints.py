"""What pydantic found wrong with a document, in the words of this product's errors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from universal_agent.domain.text_rules import log_text

#: How pydantic's messages begin, and how ours do.
_EXPECTATIONS = {
    "Input should be ": "expected ",
    "Value error, ": "",
    "Field required": "expected a value, got none",
    "Extra inputs are not permitted": "expected no such field",
    "Unable to extract tag using discriminator ": "expected the field ",
}

#: Fields named in one answer, and characters of a name that are repeated to its sender.
_MOST_FIELDS = 5
_LONGEST_NAME = 100


def complaints_of(
    errors: Iterable[Mapping[str, Any]], *, place: str | None = None
) -> dict[str, str]:
    """What was expected of each field that is wrong, in the order of the fields.

    `place` is what the document is called where the locations do not begin with it. pydantic lists
    one error for each member of a union; they are about one field, and joined.
    """
    fields: dict[tuple[Any, ...], list[tuple[Sequence[Any], Mapping[str, Any]]]] = {}
    for error in errors:
        location = error["loc"] if place is None else (place, *error["loc"])
        fields.setdefault(tuple(location[:2]), []).append((location, error))
    complaints = {}
    for about in list(fields.values())[:_MOST_FIELDS]:
        location, error = about[0]
        if error["type"] == "json_invalid":
            complaints["body"] = (
                f"expected JSON, got {error['ctx']['error']!r} at character {location[-1]}"
            )
            continue
        texts = dict.fromkeys(_expectation(error["msg"]) for _, error in about)
        expected = " or ".join(texts).replace(" or expected ", " or ")
        complaints[_field([location for location, _ in about])] = expected
    return complaints


def _field(places: Sequence[Sequence[Any]]) -> str:
    """The name of what all places have in common, without where in the request it was."""
    shared = []
    for parts in zip(*places, strict=False):
        if any(part != parts[0] for part in parts):
            break
        shared.append(str(parts[0]))
    return log_text(".".join(shared[1:]) or shared[0])[:_LONGEST_NAME]


def _expectation(message: str) -> str:
    for theirs, ours in _EXPECTATIONS.items():
        if message.startswith(theirs):
            return ours + message.removeprefix(theirs)
    return message

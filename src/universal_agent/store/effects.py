"""Results of verbs that count as an effect although their type does not show it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Verb = TypeVar("Verb", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Effect(Generic[T]):
    """The result of a verb that may return None although it had its effect."""

    value: T


def effect_unless(*results: object) -> Callable[[Verb], Verb]:
    """Decorates a verb whose result counts as an Effect, even None, unless it is in `results`."""

    def mark(verb: Verb) -> Verb:
        verb.__dict__["without_effect"] = results
        return verb

    return mark


def effect_of(verb: Callable[..., Any], result: object) -> object:
    """What companions of a write look at: the verb's result, or the Effect that it counts as."""
    without: tuple[object, ...] | None = getattr(verb, "without_effect", None)
    return result if without is None or result in without else Effect(result)

"""Change requests in plain form: without courtesies, names of the job, and "from now on"."""

import re
import unicodedata
from dataclasses import dataclass

from universal_agent.domain.job import JobSpec

_FRONT = re.compile(
    r"(?:(?:please|pls|kindly|hey|hi|hello|ok|okay|actually|let's|(?:can|could|would|will) you"
    r"|(?:can|could) we|you can|(?:i|we) (?:want|need|would like|'d like) you to|i'd like you to"
    r"|(?:i|we) (?:want|need|would like) to|(?:i|we)'d like to"
    r"|just(?= (?:run|skip|move|pause|do|stop)\b))[, ]+)+",
    re.IGNORECASE,
)
_BACK = re.compile(r"[, ]+(?:please|thanks|thank you|thx|for me|ok)$", re.IGNORECASE)

#: "I want it to run at 8", "it should run at 8".
_WISH = re.compile(
    r"(?:(?:i|we) (?:want|need|would like)|(?:i|we)'d like) (?:it|this|that)"
    r"(?: to (?:run|start|be))?"
    r"|(?:it|this) (?:should|must|needs to|has to) (?:run|start|be)|(?:let|have) it run(?! again)",
    re.IGNORECASE,
)
_NO_WISH = re.compile(
    r"(?:i|we) do not want (?:it|this|that) to (?:run|start)"
    r"|(?:it|this) (?:should|must) not (?:run|start)",
    re.IGNORECASE,
)
_ONLY_RUN = re.compile(r"only (?:run|do|start)(?: (?:it|this|that))? ", re.IGNORECASE)

_LASTING = (
    r"from now on|from here on|going forward|permanently|every time|each time|always"
    r"|in (?:the )?future"
)
_ONCE = r"(?:just|only) this (?:once|time|one time)|this (?:time|once)"
_INSTEAD = re.compile(r",? (?:instead of|rather than|in place of) (.+)$", re.IGNORECASE)

#: Words of a title that are words of this grammar.
_GRAMMAR = frozenset(
    re.findall(
        r"\w+",
        "run skip move pause stop resume start do now at on in for to until the a an and or of "
        "next it this that time today tomorrow tonight not no one every each once again early late "
        "from off monday tuesday wednesday thursday friday saturday sunday day week month",
    )
)
_RHYTHMS = frozenset(("daily", "nightly", "weekly", "monthly", "hourly", "yearly"))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A change request in plain form."""

    text: str
    #: Whether it is about all runs to come: "from now on".
    is_lasting: bool = False
    #: Whether it is about one run: "just this once".
    is_once: bool = False
    #: What is given up: empty for "instead" alone, None without it.
    instead: str | None = None


def plain(instruction: str) -> str:
    """The sentence without courtesies, with plain quotes and single spaces."""
    text = unicodedata.normalize("NFKC", instruction).replace("\u2019", "'")
    text = " ".join(text.split()).strip().rstrip(".!?")
    while (shorter := _FRONT.sub("", _BACK.sub("", text), count=1).strip()) != text:
        if _FRONT.match(text) is None and _BACK.search(text) is None:
            break
        text = shorter
    return text


def sentence(text: str, spec: JobSpec) -> Sentence:
    """What a plain sentence says and how far it goes."""
    text = re.sub(r"\bdon'?t\b", "do not", _named(text, spec), flags=re.IGNORECASE)
    text = re.sub(r"\b(should|must)n't\b", r"\1 not", text, flags=re.IGNORECASE)
    text = _NO_WISH.sub("do not run it", text, count=1)
    instead = None
    if match := _INSTEAD.search(text):
        text, instead = text[: match.start()], match[1]
    text, is_lasting = _without(text, _LASTING)
    text, is_once = _without(text, _ONCE)
    text, is_instead = _without(text, "instead")
    if is_instead and instead is None:
        instead = ""
    text = _ONLY_RUN.sub("run it only ", _WISH.sub("run it", text, count=1), count=1)
    return Sentence(text, is_lasting, is_once, instead)


def _without(text: str, words: str) -> tuple[str, bool]:
    shorter = re.sub(rf"^(?:{words})\b[, ]*|[, ]+(?:{words})$", "", text, flags=re.IGNORECASE)
    return shorter, shorter != text


def _named(text: str, spec: JobSpec) -> str:
    """The sentence with "it" for the job and "run" for a run, where it is called by its title."""
    text = re.sub(
        r"\b(?:the|this|that|my|our) (?:cron ?job|job|task)\b", "it", text, flags=re.IGNORECASE
    )
    words = set(re.findall(r"[a-z0-9]+", spec.display_title.lower())) - _GRAMMAR
    nouns = words - _RHYTHMS
    if not nouns:
        return text
    noun, word = ("|".join(sorted(map(re.escape, group))) for group in (nouns, words))
    called = rf"(?:(?:{word}) )*(?:{noun})\b(?: job\b)?"
    text = re.sub(
        rf"(\bthe next|\bno|'s|\d ?[ap]m) {called}(?: run\b)?",
        r"\1 run",
        text,
        flags=re.IGNORECASE,
    )
    return re.sub(
        rf"\b(?:the|this|that|my|our) {called}(?: run\b)?", "it", text, flags=re.IGNORECASE
    )

"""Time zones in a phrase: "every day at 9am Europe/Berlin", "at 03:00 UTC"."""

from universal_agent.domain.local_time import load_zone
from universal_agent.domain.phrase_reader import PhraseReader
from universal_agent.errors import InvalidSchedule

_ZONES = {"utc": "UTC", "gmt": "UTC", "zulu": "UTC", "cet": "CET", "eet": "EET", "wet": "WET"}

#: Abbreviations that are not one zone, with zones that people mean.
NOT_ONE_ZONE = {
    "est": ("America/New_York", "America/Panama"),
    "edt": ("America/New_York",),
    "et": ("America/New_York",),
    "cst": ("America/Chicago", "Asia/Shanghai"),
    "cdt": ("America/Chicago",),
    "ct": ("America/Chicago",),
    "mst": ("America/Denver", "America/Phoenix"),
    "mdt": ("America/Denver",),
    "pst": ("America/Los_Angeles",),
    "pdt": ("America/Los_Angeles",),
    "pt": ("America/Los_Angeles",),
    "bst": ("Europe/London", "Asia/Dhaka"),
    "ist": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "cest": ("Europe/Berlin",),
    "eest": ("Europe/Athens",),
    "aest": ("Australia/Sydney", "Australia/Brisbane"),
    "aedt": ("Australia/Sydney",),
    "jst": ("Asia/Tokyo",),
    "hst": ("Pacific/Honolulu",),
    "nzst": ("Pacific/Auckland",),
}


def take_zone(reader: PhraseReader) -> str | None:
    """Take the zone out of a phrase that begins or ends with one, or has one after a time.

    Raises InvalidPhrase for an abbreviation that is not one zone, or two zones.
    """
    found: str | None = None
    index = 0
    while index < len(reader.tokens):
        zone = _zone_at(reader, index)
        if zone is None:
            index += 1
            continue
        if found not in (None, zone):
            raise reader.refusal(f"this names two zones, {found} and {zone}")
        found = zone
        begin, end = index, index + 1
        if begin and reader.tokens[begin - 1].text in ("in", "("):
            begin -= 1
            closes = end < len(reader.tokens) and reader.tokens[end].text == ")"
            end += reader.tokens[begin].text == "(" and closes
        elif begin and reader.tokens[begin - 1].text == "," and end == len(reader.tokens):
            begin -= 1
        if end < len(reader.tokens) and reader.tokens[end].text == "time":
            end += 1
        if not begin and end < len(reader.tokens) and reader.tokens[end].text in (",", ":"):
            end += 1
        del reader.tokens[begin:end]
        index = begin
    return found


def _zone_at(reader: PhraseReader, index: int) -> str | None:
    token = reader.tokens[index]
    if token.sort == "zone":
        return _known(reader, token.written)
    if token.text in NOT_ONE_ZONE and index:
        before, after = reader.text[: token.start], reader.text[token.end :]
        instead = " or ".join(f"'{before}{zone}{after}'" for zone in NOT_ONE_ZONE[token.text])
        raise reader.refusal(f"{token.written} is not the name of one zone; write {instead}")
    zone = _ZONES.get(token.text)
    following = reader.tokens[index + 1].text if index + 1 < len(reader.tokens) else ""
    if zone and following in ("+", "-"):
        raise reader.refusal(
            "an offset is not a zone; write a place such as Europe/Berlin, or UTC alone"
        )
    return zone


def _known(reader: PhraseReader, written: str) -> str:
    for name in (written, "/".join(_title(part) for part in written.split("/"))):
        try:
            load_zone(name)
        except InvalidSchedule:
            continue
        return name
    raise reader.refusal(f"there is no time zone {written!r}; write one such as 'Europe/Berlin'")


def _title(part: str) -> str:
    return "_".join(word.capitalize() for word in part.lower().split("_"))

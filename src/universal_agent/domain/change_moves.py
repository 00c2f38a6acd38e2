"""The rules of change requests about one slot: skip it, move it, run it early."""

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta

from universal_agent.domain.change_schedule import set_schedule
from universal_agent.domain.change_slots import (
    clock_of,
    instants_of,
    itself,
    one_of,
    slot_of,
    slots,
    windows_of,
)
from universal_agent.domain.change_terms import Asked, Operation, Understood
from universal_agent.domain.change_times import one_shot, shift_schedule, shows_clock, weekdays_said
from universal_agent.domain.local_time import instant_at
from universal_agent.domain.phrases import parse_duration
from universal_agent.domain.schedule import OneShotSchedule
from universal_agent.errors import InvalidInput, InvalidPhrase

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)

#: The night of a moved run, which lies on two dates.
_NIGHT_BEGINS, _NIGHT_ENDS = 17, 5


def _slot_argument(asked: Asked, slot: datetime) -> dict[str, int]:
    return {} if slot == asked.slot else {"slot_at": int(slot.timestamp())}


def skip_slot(asked: Asked, match: re.Match[str]) -> Understood | None:
    words = re.sub(r"^(?:just|only) | once$", "", match["slot"])
    if (slot := slot_of(asked, words, "skip {}")) is None:
        return None
    return Understood(
        operation=Operation.SKIP_SLOT,
        slot=_slot_argument(asked, slot),
        summary=f"Skip the slot of {asked.local(slot)}; later ones run as planned.",
    )


def not_on_a_day(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "not on friday": this friday, or every one."""
    day = match["day"].lower()
    raise asked.not_understood(
        f"It has two readings: say 'skip {day}' for this week alone, or 'not on {_plural(day)}' "
        "for every week."
    )


def on_a_day(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "on monday": every week, or this run."""
    if asked.spec.schedule.kind == "once":
        return None
    day = match["day"].lower()
    raise asked.not_understood(
        f"It has two readings: say 'on {_plural(day)}' for every week, or 'move it to {day}' for "
        "this run."
    )


def _plural(day: str) -> str:
    return f"{day}s"


def run_early(asked: Asked, match: re.Match[str]) -> Understood | None:
    """A slot's run now, in place of its time."""
    words = match.groupdict().get("slot") or "it"
    instead = asked.said.instead
    if words != "it":
        slot = slot_of(asked, words, "run {} now")
    elif instead and instead != "later":
        slot = _given_up(asked, instead)
    else:
        slot = itself(asked)
    if slot is None:
        return None
    return Understood(
        operation=Operation.RUN_EARLY,
        slot=_slot_argument(asked, slot),
        summary=f"Run the slot of {asked.local(slot)} now instead; later ones run as planned.",
    )


def _given_up(asked: Asked, words: str) -> datetime | None:
    """The slot that "instead of" names: by its time, or by its day."""
    clock = clock_of(words.lower(), asked)
    if clock is None:
        return slot_of(asked, words, "run {} now")
    slot = itself(asked)
    if asked.wall(slot).time() != clock:
        raise asked.refused(
            f"this run is at {asked.wall(slot):%H:%M}, not at {clock:%H:%M}: say 'run it now "
            "instead' for this run"
        )
    return slot


def undo_slot(asked: Asked, _match: re.Match[str]) -> Understood:
    return Understood(
        operation=Operation.UNDO_SLOT,
        summary=f"Take back what was decided about the slot of {asked.local(asked.slot)}.",
    )


# -- move


def move_slot(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "move it to 10am", "postpone friday's run to saturday"."""
    when, words = match["when"], match.groupdict().get("slot") or "it"
    said = asked.said
    if said.instead:
        return None
    if said.is_lasting:
        return set_schedule(asked, when) if _is_it(words) else None
    slot = slot_of(asked, words, f"move {{}} to {when}")
    if slot is None:
        return None
    verb = match[0].split(" ")[0].lower()
    way = "later" if verb in ("postpone", "delay", "put", "push") else ""
    try:
        at = _target(asked, slot, when, "earlier" if verb == "bring" else way)
    except InvalidPhrase:
        if not _is_it(words):
            raise
        at = None
    if at is None:
        # "move it to 8:30 on weekdays" is about the schedule.
        return set_schedule(asked, when) if _is_it(words) else None
    return _moved(asked, slot, at)


def _is_it(words: str) -> bool:
    return re.fullmatch(r"it|this|that", words.lower()) is not None


def moved_on_its_day(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "run it tomorrow at 10 instead of 9": the run of that day at another time."""
    said = asked.said
    if said.instead is None:
        return None
    windows = windows_of(asked, match["day"].lower())
    if windows is None:
        return None
    if isinstance(asked.spec.schedule, OneShotSchedule):
        return set_schedule(asked, f"{match['day']} at {match['time']}")
    start, end = windows[0]
    there = list(slots(asked.spec.schedule, max(start - _SECOND, asked.now), end))
    if len(there) != 1:
        raise asked.not_understood(
            f"Which run is meant is not clear: say 'move it to {match['day']} at {match['time']}'."
        )
    (slot,) = there
    before = clock_of(said.instead.lower(), asked) if said.instead else None
    if said.instead and before != asked.wall(slot).time():
        raise asked.refused(f"the run of that day is at {asked.wall(slot):%H:%M}")
    return _moved(asked, slot, asked.instant(f"{match['day']} at {match['time']}"))


def moved_this_once(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "run it at 10 this time", "run tomorrow's at 10"."""
    words = match.groupdict().get("slot") or "it"
    if asked.said.instead:
        return None
    when = match["when"]
    if clock_of(when.lower(), asked) is None:
        return None
    slot = slot_of(asked, words, f"move {{}} to {when}")
    if slot is None:
        return None
    at = _target(asked, slot, when)
    return None if at is None else _moved(asked, slot, at)


def _on_day_of(asked: Asked, slot: datetime, clock: time) -> datetime:
    wall = asked.wall(slot).replace(tzinfo=None)
    return instant_at(datetime.combine(wall.date(), clock), asked.timezone)


def _target(asked: Asked, slot: datetime, when: str, way: str = "") -> datetime | None:
    """Where a slot is moved; None for words that are not one instant.

    A time of day alone is one of the slot's day, a day alone is at the slot's time.
    """
    words = when.lower().strip()
    if words in ("midnight", "at midnight"):
        day = asked.wall(slot).date()
        nights = [on for on in (day, day + _DAY) if on > asked.wall(asked.now).date()]
        forms = " or ".join(f"'move it to {on} at 00:00'" for on in nights)
        raise asked.refused(f"midnight is at the beginning of a day: say {forms}")
    if (clock := clock_of(words, asked)) is not None:
        return one_of(asked, _in_direction(asked, slot, _near(asked, slot, clock), way))
    if re.fullmatch(r"(?:the )?(?:next day|day after|following day)", words):
        return _days_later(asked, slot, 1)
    if words == "next week":
        raise asked.refused("the day is not said: say 'move it 1 week later'")
    instants = instants_of(asked, slot, words)
    if instants is None:
        return None
    return one_of(asked, _in_direction(asked, slot, instants, way))


def _in_direction(
    asked: Asked, slot: datetime, instants: Sequence[datetime], way: str
) -> Sequence[datetime]:
    """The instants that are later, or earlier, where the verb says so; raises without one."""
    if way == "later":
        fitting = [at for at in instants if at > slot]
    elif way == "earlier":
        fitting = [at for at in instants if at < slot]
    else:
        fitting = list(instants)
    if not fitting:
        raise asked.refused(f"that is not {way} than the run, which is at {asked.local(slot)}")
    return fitting


def _near(asked: Asked, slot: datetime, clock: time) -> Sequence[datetime]:
    """A time of day on the slot's day; of a night also that on the other side of midnight."""
    on_day = _on_day_of(asked, slot, clock)
    hour = asked.wall(slot).hour
    if hour < _NIGHT_ENDS and clock.hour >= _NIGHT_BEGINS:
        found = [_days_later(asked, on_day, -1), on_day]
    elif hour >= _NIGHT_BEGINS and clock.hour < _NIGHT_ENDS:
        found = [on_day, _days_later(asked, on_day, 1)]
    else:
        return [on_day]
    return [at for at in found if at > asked.now] or [on_day]


def _days_later(asked: Asked, slot: datetime, days: int) -> datetime:
    """The same time of day, days later or earlier."""
    wall = asked.wall(slot).replace(tzinfo=None) + timedelta(days=days)
    return instant_at(wall, asked.timezone)


def _moved(asked: Asked, slot: datetime, at: datetime) -> Understood:
    if at <= asked.now:
        raise asked.refused(f"expected an instant in the future, got {asked.local(at)}")
    schedule = asked.spec.schedule
    if isinstance(schedule, OneShotSchedule):
        return one_shot(asked, at)
    if at == slot:
        raise asked.refused(f"the run is at {asked.local(at)} already")
    meets = schedule.next_after(at - _SECOND) == at
    return Understood(
        operation=Operation.MOVE_SLOT,
        slot={"move_to": at.timestamp(), **_slot_argument(asked, slot)},
        summary=(
            f"Run the slot of {asked.local(slot)} at {asked.local(at)} instead; the schedule stays."
        ),
        warnings=("The job has another slot at that time.",) if meets else (),
    )


# -- earlier and later

_LATER = frozenset(("later", "after"))
_EARLIER = frozenset(("earlier", "sooner"))


def shift_slot(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "move it 1 hour later", "push it back an hour", "do it an hour earlier tomorrow"."""
    said = match.groupdict()
    verb = (said.get("verb") or "").lower()
    way = (said.get("way") or said.get("away") or "").lower()
    adverb = (said.get("adverb") or "").lower()
    try:
        length = parse_duration(said["length"] or "", field="instruction")
    except InvalidPhrase:
        return None
    is_later = _direction(asked, verb, way or None, adverb or None, said["length"] or "")
    if is_later is None:
        return None
    words = said.get("slot") or said.get("day") or "it"
    if said.get("slot") and said.get("day"):
        words = f"{said['slot']} {said['day']}"
    which = "later" if is_later else "earlier"
    form = f"move {{}} {said['length']} {which}"
    if asked.said.is_lasting or re.fullmatch(r"(?:the|its) (?:schedule|time|times)", words):
        return shift_schedule(asked, length if is_later else -length)
    is_unclear = (not verb and words == "it") or verb == "make"
    if is_unclear and not asked.said.is_once and asked.spec.schedule.kind != "once":
        raise asked.not_understood(
            f"It has two readings: say '{form.format('it')}' for this run alone, or "
            f"'{said['length']} {which} from now on'."
        )
    if re.fullmatch(r"it every ?day|every ?day", words):
        return _every_day(asked, length if is_later else -length, form.format("it"))
    slot = slot_of(asked, words, form)
    if slot is None:
        return None
    days, rest = divmod(length, _DAY)
    if rest or re.search(r"\d ?h|hour", said["length"] or ""):
        return _moved(asked, slot, slot + length if is_later else slot - length)
    return _moved(asked, slot, _days_later(asked, slot, days if is_later else -days))


def _every_day(asked: Asked, by: timedelta, form: str) -> Understood:
    if not shows_clock(asked, every_day=True):
        raise asked.refused(f"the job does not run every day: say '{form} from now on'")
    return shift_schedule(asked, by)


def _direction(
    asked: Asked, verb: str, way: str | None, adverb: str | None, length: str
) -> bool | None:
    """Whether it is later; None for words that contradict each other.

    Raises InvalidPhrase for "move it forward" and "move it back", which people read both ways.
    """
    said = {
        True if word in _LATER else False if word in _EARLIER else None
        for word in (adverb,)
        if word
    }
    if verb in ("postpone", "delay", "put off"):
        said.add(True)
    if way == "back" and verb in ("push", "put"):
        said.add(True)
    elif way == "forward" and verb == "bring":
        said.add(False)
    elif way and adverb:
        return None
    elif way:
        raise asked.not_understood(
            f"'{verb} {way}' has two readings: say 'move it {length} earlier' or "
            f"'move it {length} later'."
        )
    elif verb == "push" and not adverb:
        said.add(True)
    return said.pop() if len(said) == 1 else None


def unclear_shift(asked: Asked, _match: re.Match[str]) -> Understood:
    raise asked.not_understood(
        "How much is not said: say 'move it 1 hour earlier', 'move it 1 hour later' for this run, "
        "or 'an hour later from now on'."
    )


def unclear_postponement(asked: Asked, _match: re.Match[str]) -> Understood:
    raise asked.not_understood(
        "Until when is not said: say 'postpone it by 1 hour' or 'move it to tomorrow at 10am'."
    )


def several_slots(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "skip tomorrow and friday" is two requests; "skip fridays and mondays" is a rhythm."""
    first = match["first"]
    if weekdays_said(asked, f"{first} and {match['second']}") is not None:
        return None
    try:
        slot = slot_of(asked, first, "skip {}")
    except InvalidInput:
        slot = None
    if slot is None:
        return None
    raise asked.not_understood(
        f"One request is about one run: say 'skip {first}', and then the other one."
    )

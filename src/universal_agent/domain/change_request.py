"""Instructions in words about a job, understood as a whole or not at all.

A small grammar over whole sentences: "do not stop this job" is not "stop" with other words around
it, it is a sentence that is not understood, and changes nothing.
"""

import re
from datetime import datetime

from universal_agent.domain.change_rules import (
    Rule,
    move_slot,
    pause_until,
    rename,
    run_early,
    set_command,
    set_schedule,
    set_zone,
    shift_slot,
    simple,
    skip_slot,
    two_readings,
    undo_slot,
)
from universal_agent.domain.change_terms import MAX_CHARS, Asked, Operation, Understood
from universal_agent.domain.job import JobSpec

_IT = r"(?: (?:it|this|this job|the job|this one|that|that job))?"
_NEXT = r"next(?: one| run| slot| time)?"
_RUN = rf"(?:it|this(?: one| run| slot| time)?|the slot|(?:the )?{_NEXT})"
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
_DAY = rf"(?:today|tonight|tomorrow|(?:on |this |next )?{_WEEKDAY})"
_NUMBER = r"(?:an?|half an?|\d[\d.]*|one|two|three|four|five|six|ten|twelve)"
_LENGTH = rf"(?:by |for )?(?P<length>{_NUMBER} ?[a-z]+(?: (?:and )?\d+ ?[a-z]+)?)"

_POLITE = re.compile(
    r"^(?:(?:please|pls|kindly|let's|(?:can|could|would) you|can we|i want to|i'd like to)[, ]+)+"
    r"|[, ]+(?:please|thanks|thank you|for me|from now on|going forward)$",
    re.IGNORECASE,
)
_INSTEAD = re.compile(r" (?:instead|rather)(?: of .+)?$", re.IGNORECASE)


def understand(
    instruction: str, spec: JobSpec, slot: datetime, *, now: datetime, timezone: str
) -> Understood:
    """What an instruction about a job's slot asks for.

    Raises InvalidPhrase, with examples, for anything that is not understood as a whole, and
    InvalidInput for what is understood and cannot be.
    """
    asked = Asked(instruction, spec, slot, now, timezone)
    text = " ".join(instruction.replace("\u2019", "'").split()).strip().rstrip(".!?")
    if not text or len(text) > MAX_CHARS:
        raise asked.not_understood()
    while (plain := _POLITE.sub("", text).strip()) != text:
        text = plain
    for pattern, rule in _RULES:
        if match := pattern.fullmatch(text):
            return rule(asked, match)
    without = _INSTEAD.sub("", text)
    for pattern, rule in _PHRASES:
        if match := pattern.fullmatch(without):
            return rule(asked, match)
    return set_schedule(asked, without)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_UNTIL = r"(?: until| till)"

_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (_pattern(rf"(?:pause|suspend|hold){_IT}(?: until further notice)?"), simple(Operation.PAUSE)),
    (
        _pattern(
            rf"(?:resume|unpause|continue|(?:re-?)?enable|reactivate|restart){_IT}(?: now| again)?"
            rf"|(?:turn|switch){_IT}(?: back)? on|start{_IT} again"
        ),
        simple(Operation.RESUME),
    ),
    (
        _pattern(rf"(?:disable|stop|deactivate|turn off|switch off){_IT}|(?:turn|switch){_IT} off"),
        simple(Operation.DISABLE),
    ),
    (
        _pattern(
            rf"(?:run|start|execute|trigger|rerun|re-run){_IT}(?: once)? "
            rf"(?:now|right now|right away|immediately|again)|(?:rerun|re-run|trigger){_IT}"
        ),
        simple(Operation.RUN_NOW),
    ),
    (
        _pattern(
            rf"(?:pause|suspend|hold|stop|snooze|disable){_IT}"
            rf"(?:{_UNTIL} (?P<until>.+)| for (?P<for>.+))"
            rf"|(?:resume|unpause|restart|enable){_IT} (?P<then>(?:on |in |at |next |tomorrow).*)"
        ),
        pause_until,
    ),
    (
        _pattern(
            rf"skip(?: {_RUN})?(?: this time)?(?: (?P<day>{_DAY})(?:'s(?: run| slot| one)?)?)?"
        ),
        skip_slot,
    ),
    (_pattern(rf"(?:cancel|drop|leave out|omit) (?!it$|this$){_RUN}"), skip_slot),
    (_pattern(rf"(?:don't|do not) run {_RUN} (?P<day>{_DAY})"), skip_slot),
    (
        _pattern(
            r"(?:don't|do not) run (?:this one|this time|the next one|the next run|next time)"
        ),
        skip_slot,
    ),
    (_pattern(rf"cancel (?P<day>{_DAY})(?:'s)?(?: run| slot| one)?"), skip_slot),
    (_pattern(rf"not (?P<day>{_DAY})"), skip_slot),
    (
        _pattern(
            rf"run (?:{_RUN} )?early|run {_RUN} now instead|run the next (?:one|run|slot) now"
        ),
        run_early,
    ),
    (
        _pattern(
            r"undo(?: (?:it|this|that|the (?:skip|move)))?|un-?skip(?: it| this)?"
            r"|(?:don't|do not) skip(?: it| this(?: one)?)?"
        ),
        undo_slot,
    ),
    (
        _pattern(
            rf"(?:rename|retitle|call|name){_IT}(?: to| as)? [\"'“‘](?P<title>[^\"“”]+)[\"'”’]"
        ),
        rename,
    ),
    (
        _pattern(
            rf"(?:rename|retitle){_IT} (?:to|as) (?P<title>.+)"
            r"|(?:change|set) (?:the|its) (?:name|title) to (?P<named>.+)"
        ),
        rename,
    ),
    (
        _pattern(
            r"(?:(?:change|set|update) )?(?:the |its )?(?:command|prompt)(?: to|:) (?P<command>.+)"
        ),
        set_command,
    ),
    (_pattern(r"run (?P<command>`[^`]+`|\"[^\"]+\")(?: instead)?"), set_command),
    (
        _pattern(
            r"(?:change|set|switch|use|move)(?: (?:the|its))?(?: time ?zone| zone)?(?: to)? "
            r"(?P<zone>[A-Z]\w+/\w[\w/+-]*|UTC)(?: time)?|(?:run|read)(?: it)? in "
            r"(?P<where>[A-Z]\w+/\w[\w/+-]*|UTC)(?: time)?"
        ),
        set_zone,
    ),
    (
        _pattern(
            r"(?:call|cancel|scrap|drop|kill)(?: (?:it|this|that))?(?: off)?|call off(?: it| this)?"
        ),
        two_readings,
    ),
    (
        _pattern(
            rf"(?:move|shift|postpone|delay|push|bring|run|start)(?: {_RUN})?(?: back| forward)? "
            rf"{_LENGTH} (?P<way>later|earlier|sooner|back|forward)"
        ),
        shift_slot,
    ),
    (
        _pattern(rf"(?:postpone|delay|push)(?: {_RUN})?(?P<way> back)? {_LENGTH}"),
        shift_slot,
    ),
)

_VERB = (
    rf"(?:(?:change|set|switch|make|run|schedule|start|do|have|move|put){_IT}(?: run)?"
    r"(?: (?:the|its) (?:time|day|days|schedule))?(?: to)? )?"
)

_PHRASES: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (
        _pattern(
            rf"(?:move|reschedule|shift|postpone|push|delay)(?: {_RUN})?(?: run)? "
            r"(?:to|until|till|for) (?P<when>.+)"
        ),
        move_slot,
    ),
    (
        _pattern(rf"{_VERB}(?P<phrase>.+)"),
        lambda asked, match: set_schedule(asked, match["phrase"]),
    ),
)

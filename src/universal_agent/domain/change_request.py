"""Instructions in words about a job, understood as a whole or not at all.

A small grammar over whole sentences: "do not stop this job" is not "stop" with other words around
it, it is a sentence that is not understood, and changes nothing. A sentence with two readings is
refused with both.
"""

import re
from dataclasses import replace
from datetime import datetime

from universal_agent.domain.change_moves import (
    move_slot,
    moved_on_its_day,
    moved_this_once,
    not_on_a_day,
    on_a_day,
    run_early,
    several_slots,
    shift_slot,
    skip_slot,
    unclear_postponement,
    unclear_shift,
    undo_slot,
)
from universal_agent.domain.change_naming import NAMING
from universal_agent.domain.change_rules import (
    Rule,
    asks_back,
    pause_for_now,
    pause_until,
    restart,
    simple,
    skip_several,
    skip_week,
)
from universal_agent.domain.change_schedule import set_schedule
from universal_agent.domain.change_slots import TIME, WEEKDAY
from universal_agent.domain.change_terms import MAX_CHARS, PROPOSED, Asked, Operation, Understood
from universal_agent.domain.change_times import add_to_schedule, replace_time, without_days
from universal_agent.domain.change_words import Sentence, plain, sentence
from universal_agent.domain.job import JobSpec
from universal_agent.errors import InvalidInput, InvalidPhrase

_NEGATED = re.compile(r"\b(?:not|don'?t|never|no|without|nothing|un\w+)\b", re.IGNORECASE)

#: Sentences with more words are refused without a search for the nearest form.
_MOST_WORDS = 14


def understand(
    instruction: str, spec: JobSpec, slot: datetime, *, now: datetime, timezone: str
) -> Understood:
    """What an instruction about a job's slot asks for.

    Raises InvalidPhrase, with examples, for anything that is not understood as a whole, and
    InvalidInput for what is understood and cannot be.
    """
    asked = Asked(instruction, spec, slot, now, timezone)
    text = plain(instruction)
    if not text or len(text) > MAX_CHARS:
        raise asked.not_understood()
    try:
        return _read(asked, text)
    except InvalidPhrase as refusal:
        forms = PROPOSED.findall(refusal.message)
        if forms and all(_is_understood(asked, form) for form in forms):
            raise
        raise asked.not_understood(_nearest(asked, text)) from None


def _read(asked: Asked, text: str) -> Understood:
    for pattern, rule in NAMING:
        if (match := pattern.fullmatch(text)) and (found := rule(asked, match)):
            return found
    asked = replace(asked, said=sentence(text, asked.spec))
    said = asked.said
    if said.is_lasting and said.is_once:
        raise asked.not_understood()
    for pattern, rule, allowed in _RULES:
        if _is_allowed(said, allowed) and (match := pattern.fullmatch(said.text)):
            found = rule(asked, match)
            if found is not None:
                return found
    match = _SCHEDULE.fullmatch(said.text)
    return set_schedule(asked, match["phrase"] if match else said.text)


def _is_allowed(said: Sentence, allowed: str) -> bool:
    """Whether a rule is for sentences that go so far: lasting, once, instead of something."""
    flags = (("l", said.is_lasting), ("o", said.is_once), ("i", said.instead is not None))
    return all(not is_said or letter in allowed for letter, is_said in flags)


def _is_understood(asked: Asked, form: str) -> bool:
    try:
        _read(replace(asked, instruction=form, said=Sentence("")), plain(form))
    except InvalidInput:
        return False
    return True


def _nearest(asked: Asked, text: str) -> str:
    """The longest beginning or end of a sentence that is understood, unless it says "not"."""
    words = text.split(" ")
    if _NEGATED.search(text) or len(words) > _MOST_WORDS:
        return ""
    renamed = re.sub(r"\b(?:the|my|our|that|this) [\w-]+(?= |$)", "it", text, flags=re.IGNORECASE)
    if renamed != text and _is_understood(asked, renamed):
        return f"If this job is meant, say '{renamed}'."
    for length in range(len(words) - 1, 0, -1):
        part = " ".join(words[:length])
        rest = " ".join(words[length:])
        if _is_understood(asked, part.rstrip(",")):
            return f"“{rest}” was not understood; without it: '{part.rstrip(',')}'."
    return ""


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_THIS = r"(?:it|this|that|this one|that one)"
_IT = rf"(?: {_THIS})?"
_NUMBER = r"(?:an?|half an?|\d[\d.]*|one|two|three|four|five|six|ten|twelve)"
_LENGTH = rf"(?P<length>{_NUMBER} ?[a-z]+(?: (?:and )?\d+ ?[a-z]+)?)"
_UNTIL = r"(?:until|till|til)"
_FOR_NOW = r"(?: for now| until further notice| indefinitely| until i say so)?"
_STOP = r"(?:pause|suspend|hold|stop|snooze|disable|turn off|switch off)"
_SKIP = r"(?:skip|cancel|drop|leave out|omit)"
_MOVE = r"(?:bring|move|reschedule|shift|postpone|push|delay|put off|put)"
_RUN = r"(?:run|do|start|execute|trigger|fire|kick off)"
_NOW = r"(?:right now|right away|now|immediately|asap|straight away)"

_SKIP_OR_DISABLE = "It has two readings: say 'skip it' for this run alone, or 'disable it' for all."

#: The letters say which sentences a rule is for: lasting, once, or instead of something.
_RULES: tuple[tuple[re.Pattern[str], Rule, str], ...] = (
    # off and on
    (
        _pattern(
            rf"(?:pause|suspend|hold){_IT}{_FOR_NOW}|pause all (?:future )?runs"
            rf"|put {_THIS} on hold{_FOR_NOW}|hold off(?: on {_THIS})?{_FOR_NOW}"
            rf"|stop running{_IT} for now"
        ),
        simple(Operation.PAUSE),
        "l",
    ),
    (
        _pattern(
            rf"(?:resume|un-?pause|continue|(?:re-?)?enable|reactivate){_IT}(?: now| again)?"
            rf"|(?:turn|switch){_IT} (?:back )?on(?: again)?|(?:turn|switch) on{_IT}(?: again)?"
            rf"|start(?: running)?{_IT} again|let {_THIS} run again|bring {_THIS} back"
        ),
        simple(Operation.RESUME),
        "l",
    ),
    (_pattern(rf"restart{_IT}"), restart, ""),
    (
        _pattern(
            rf"(?:disable|stop|deactivate|turn off|switch off|stop running){_IT}(?: for good)?"
            rf"|(?:turn|switch){_IT} off(?: for good)?"
            rf"|(?:do not|never) run{_IT} (?:again|any ?more|ever again)"
        ),
        simple(Operation.DISABLE),
        "l",
    ),
    (_pattern(rf"do not run(?: {_THIS})?"), asks_back(_SKIP_OR_DISABLE), ""),
    (
        _pattern(rf"(?:call|cancel|scrap|drop|kill)(?: {_THIS})?(?: off)?|call off(?: {_THIS})?"),
        asks_back(_SKIP_OR_DISABLE),
        "",
    ),
    (
        _pattern(rf"(?:delete|remove|get rid of|destroy|erase) {_THIS}"),
        asks_back(
            "A job is deleted on its page, or with the command ua job delete; to keep its history, "
            "say 'disable it'."
        ),
        "l",
    ),
    # no slots until then
    (
        _pattern(
            rf"{_STOP}{_IT} {_UNTIL} (?P<until>.+)|{_STOP}{_IT} for (?!today|the rest)(?P<for>.+)"
        ),
        pause_until,
        "",
    ),
    (
        _pattern(
            rf"(?:no (?:more )?runs?|do not run(?: {_THIS})?(?: again)?"
            rf"|skip (?:it|all|everything|all runs|the runs)|turn {_THIS} off|switch {_THIS} off) "
            rf"{_UNTIL} (?P<until>.+)"
            rf"|(?:resume|un-?pause|re-?enable|enable|(?:turn|switch){_IT} (?:back )?on"
            rf"|(?:turn|switch) on{_IT}){_IT} (?P<then>(?:on |in |at |next |tomorrow).*)"
        ),
        pause_until,
        "",
    ),
    (
        _pattern(
            rf"(?:{_STOP}|skip){_IT} (?:for )?(?:the )?rest of (?:the|this) (?P<unit>day|week|month"
            rf"|year)"
        ),
        pause_for_now,
        "",
    ),
    (_pattern(rf"{_STOP}{_IT} for (?P<unit>today)"), pause_for_now, ""),
    (_pattern(rf"{_STOP}{_IT} (?:for )?this (?P<unit>week|month|year)"), pause_for_now, ""),
    (_pattern(rf"skip{_IT} this week"), skip_week, ""),
    (
        _pattern(
            r"skip (?:the )?next (?P<count>\d+|t\w+|four|five|six|seven|eight|nine)"
            r"(?: runs| slots)?"
        ),
        skip_several,
        "",
    ),
    (
        _pattern(rf"{_STOP}{_IT} from .+ {_UNTIL} (?P<then>.+)"),
        lambda asked, match: _pause_begins_now(asked, match["then"]),
        "",
    ),
    (
        _pattern(rf"{_STOP}{_IT} (?P<day>on \w+s)"),
        lambda asked, match: _not_as(asked, f"not {match['day']}"),
        "",
    ),
    (
        _pattern(
            rf"{_STOP}{_IT} (?P<day>(?:on )?(?:today|tomorrow|(?:this |next )?(?:{WEEKDAY})))"
        ),
        lambda asked, match: _not_as(asked, f"skip {match['day'].removeprefix('on ')}"),
        "",
    ),
    # now
    (
        _pattern(
            rf"{_RUN} (?P<slot>(?:tomorrow|tonight|today|\w+)'s?(?: run| one)?|(?:the )?next"
            rf"(?: one| run)?) {_NOW}"
        ),
        run_early,
        "i",
    ),
    (
        _pattern(rf"run{_IT} early|{_RUN}{_IT} {_NOW} and skip (?:the )?next(?: one| run)?"),
        run_early,
        "",
    ),
    (
        _pattern(
            rf"{_RUN}{_IT}(?: once)? {_NOW}(?: too| as well| please)?"
            rf"|{_RUN}{_IT} (?:again|once more|one more time)|(?:re-?run|trigger){_IT}"
            rf"|kick {_THIS} off(?: {_NOW})?|(?:run|do) (?:an|one) (?:extra|more|additional) "
            rf"(?:one|run) {_NOW}|do a run {_NOW}"
        ),
        lambda asked, match: (
            simple(Operation.RUN_NOW)(asked, match)
            if asked.said.instead is None
            else run_early(asked, match)
        ),
        "i",
    ),
    (
        _pattern(rf"{_RUN}{_IT}|{_NOW}|(?:retry|repeat){_IT}"),
        asks_back("Say 'run now' for one more run, or 'run it early' for the next run now."),
        "",
    ),
    # some days never, some too
    (
        _pattern(
            rf"(?:not|no more|no|never|skip(?: {_THIS})?"
            rf"|(?:do not|never|stop)(?: run| running)(?: {_THIS})?)(?: on)? (?P<days>.+)"
        ),
        without_days,
        "l",
    ),
    (
        _pattern(
            r"(?:(?:run|do) (?:it|this) )?(?:(?P<base>every (?:day|weekday)|weekdays|daily),? )?"
            r"(?:except|but|apart from|but not|excluding|other than)(?: for)?(?: on)? (?P<days>.+)"
        ),
        without_days,
        "l",
    ),
    (
        _pattern(
            rf"(?:also|add|(?:also )?{_RUN}{_IT} also|also {_RUN}{_IT})(?: a run)? (?P<more>.+)"
        ),
        add_to_schedule,
        "l",
    ),
    (
        _pattern(rf"(?:{_RUN}{_IT} )?(?P<more>(?:on|at) .+?),? (?:too|as well|also)"),
        add_to_schedule,
        "l",
    ),
    # skip
    (
        _pattern(rf"(?:not|do not {_RUN}(?: {_THIS})?)(?: on)? (?P<day>{WEEKDAY})(?: any ?more)?"),
        not_on_a_day,
        "",
    ),
    (
        _pattern(rf"{_SKIP} (?P<first>.+?)(?:,| and|, and) (?P<second>.+)"),
        several_slots,
        "",
    ),
    (_pattern(rf"{_SKIP} (?P<slot>.+)"), skip_slot, ""),
    (_pattern(rf"(?:{_RUN}{_IT} )?(?:only )?on (?P<day>{WEEKDAY})"), on_a_day, ""),
    (_pattern(r"skip(?P<slot>)"), lambda asked, match: _read(asked, "skip it"), "o"),
    (_pattern(rf"skip (?P<slot>{_THIS}|next|the next)"), skip_slot, "o"),
    (_pattern(rf"do not {_RUN} (?P<slot>(?!at |{_THIS} at )(?:{_THIS} .+|.+))"), skip_slot, ""),
    (_pattern(r"do not run(?: it)?(?P<slot>)"), lambda asked, _: _read(asked, "skip it"), "o"),
    (_pattern(r"(?:not|no runs?) (?P<slot>(?!at ).+)"), skip_slot, ""),
    (
        _pattern(r"miss (?P<slot>.+)"),
        lambda asked, match: _not_as(asked, f"skip {match['slot']}"),
        "",
    ),
    (
        _pattern(r"skip (?:every|each) (?:other|second) (?:one|run|slot|time)"),
        asks_back("Say every how many days it is to run, as in 'every other day'."),
        "",
    ),
    (
        _pattern(
            r"undo(?: (?:it|this|that|the (?:skip|move)))?|un-?skip(?: it| this)?"
            r"|do not skip(?: it| this(?: one)?)?"
        ),
        undo_slot,
        "",
    ),
    (
        _pattern(r"never ?mind|forget it|revert"),
        asks_back("To take back a skip or a move, say 'undo'."),
        "",
    ),
    # earlier and later
    (
        _pattern(
            rf"(?:(?P<verb>move|shift|postpone|delay|push|bring|run|start|do|make|put off|put)"
            rf"(?: (?P<way>back|forward|up))?"
            rf"(?: (?P<slot>{_THIS}|the run of \S+ at \S+|the \w+(?: run| one)?"
            r"|(?:tomorrow|tonight|today|\w+)'s?(?: run| one)?|the schedule|its times?"
            r"|the times?))?(?: (?P<away>back|forward|up))? )?(?:by |for )?"
            rf"{_LENGTH}(?: (?P<adverb>later|earlier|sooner))?(?: than (?:usual|now))?"
            r"(?: (?P<day>.+))?"
        ),
        shift_slot,
        "lo",
    ),
    (
        _pattern(
            r"(?P<day>tomorrow|today|tonight|on \w+|(?:this|next) \w+),? "
            rf"{_LENGTH} (?P<adverb>later|earlier|sooner)"
        ),
        lambda asked, match: _read(
            asked, f"move it {match['length']} {match['adverb']} {match['day']}"
        ),
        "",
    ),
    (
        _pattern(
            rf"(?:{_RUN}|move|make|shift)?{_IT} ?(?:a (?:bit|little) )?(?:later|earlier|sooner)"
        ),
        unclear_shift,
        "lo",
    ),
    (
        _pattern(
            rf"(?:postpone|delay|push|put off|reschedule|move|shift)(?: {_THIS})?(?: back)?"
            r"(?: a (?:bit|little)| somewhere else)?"
        ),
        unclear_postponement,
        "lo",
    ),
    # move
    (
        _pattern(rf"{_MOVE}(?: (?P<slot>.+?))?(?: off| forward)? (?:to|{_UNTIL}|for) (?P<when>.+)"),
        move_slot,
        "lo",
    ),
    (
        _pattern(
            r"(?:run|do|make|start|have) (?P<slot>(?:tomorrow|tonight|today|\w+)'s?(?: run| one)?)"
            r" (?:to )?(?P<when>.+)"
        ),
        moved_this_once,
        "i",
    ),
    (
        _pattern(rf"(?:{_RUN}|make|have){_IT} (?P<when>.+)"),
        lambda asked, match: moved_this_once(asked, match) if asked.said.is_once else None,
        "o",
    ),
    (
        _pattern(rf"(?:(?:{_RUN}|have|make){_IT} )?(?P<day>(?!at ).+?),? at (?P<time>{TIME})"),
        moved_on_its_day,
        "i",
    ),
    (
        _pattern(rf"change (?P<old>{TIME}) to (?P<new>{TIME})"),
        replace_time,
        "l",
    ),
)

_SCHEDULE = _pattern(
    rf"(?:(?:change|set|switch|make|run|schedule|start|do|have|move|put){_IT}(?: run)?"
    r"(?: (?:the|its) (?:time|day|days|schedule))?(?: to)? )?(?P<phrase>.+)"
)


def _pause_begins_now(asked: Asked, until: str) -> Understood:
    raise asked.not_understood(f"A pause begins now: say 'pause until {until}'.")


def _not_as(asked: Asked, form: str) -> Understood:
    raise asked.not_understood(f"The nearest form is another one: say '{form}'.")

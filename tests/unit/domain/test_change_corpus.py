"""What people write about a job that they look at, and what it comes to.

`change-requests.tsv` has the meanings by hand: the slots that are skipped or moved, the schedule as
a cron expression, or a refusal with the form that it has to propose.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from universal_agent.domain.change_request import understand
from universal_agent.domain.change_terms import EXAMPLES, Operation, Understood
from universal_agent.domain.draft import draft_job
from universal_agent.domain.job import JobSpec
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.phrases import parse_schedule
from universal_agent.domain.schedule import (
    IntervalSchedule,
    Schedule,
    make_cron,
    make_interval,
    make_once,
)
from universal_agent.errors import InvalidInput

ZONE = "Europe/Berlin"
BERLIN = ZoneInfo(ZONE)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


#: A Monday.
NOW = at("2026-11-30 12:05")


def job(title: str, schedule: Schedule, *, enabled: bool = True) -> JobSpec:
    return JobSpec(
        command="./run.sh",
        runner="shell",
        schedule=schedule,
        timezone=ZONE,
        title=title,
        enabled=enabled,
    )


def cron(title: str, expr: str, *, enabled: bool = True) -> JobSpec:
    return job(title, make_cron(expr, ZONE), enabled=enabled)


JOBS = {
    "report": cron("Daily report", "0 9 * * 1-5"),
    "paused": cron("Daily report", "0 9 * * 1-5", enabled=False),
    "held": cron("Daily report", "0 9 * * 1-5 from 2027-01-05T00:00"),
    "backup": cron("Nightly backup", "0 21 * * *"),
    "late": cron("Cleanup", "0 2 * * *"),
    "weekly": cron("Weekly digest", "0 9 * * 1"),
    "fortnight": cron("Digest", "0 9 * * 1 every 2 weeks from 2026-12-07"),
    "twice": cron("Prices", "0 9,17 * * *"),
    "sync": job("Sync mail", make_interval(timedelta(minutes=30), at("2026-11-30 12:00"))),
    "once": job("Invoice", make_once(at("2026-12-04 15:00"))),
}


def rows(name: str) -> list[list[str]]:
    path = Path(__file__).parents[2] / "fixtures" / "corpus" / name
    return [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]


def asked(spec: JobSpec, instruction: str) -> Understood:
    slot = spec.schedule.next_after(NOW) or NOW
    return understand(instruction, spec, slot, now=NOW, timezone=ZONE)


def after(spec: JobSpec, understood: Understood) -> JobSpec:
    return draft_job(
        understood.edit or JobDraft(),
        base=spec,
        now=NOW,
        default_runner="shell",
        shortest_interval=timedelta(0),
    ).spec


def coming(schedule: Schedule, since: datetime = NOW) -> list[datetime]:
    return list(islice(_coming(schedule, since), 100))


def _coming(schedule: Schedule, since: datetime) -> Iterator[datetime]:
    slot = schedule.next_after(since)
    while slot is not None:
        yield slot
        slot = schedule.next_after(slot)


def outcome(spec: JobSpec, understood: Understood, meaning: str) -> str:
    """What a sentence comes to, in the form of `meaning`, which it equals when they agree."""
    arguments = understood.arguments
    slot = spec.schedule.next_after(NOW)
    assert slot is not None
    picked = datetime.fromtimestamp(arguments.get("slot_at", slot.timestamp()), BERLIN)
    shown = f"{picked:%Y-%m-%d %H:%M}"
    match understood.operation:
        case Operation.SKIP_SLOT:
            return f"skip {shown}"
        case Operation.RUN_EARLY:
            return f"early {shown}"
        case Operation.MOVE_SLOT:
            to = datetime.fromtimestamp(arguments["move_to"], BERLIN)
            return f"move {shown} to {to:%Y-%m-%d %H:%M}"
        case Operation.RENAME:
            return f"rename {arguments['title']}"
        case Operation.SET_COMMAND:
            return f"command {arguments['command']}"
        case Operation.SET_TIMEZONE:
            return f"zone {arguments['timezone']}"
        case Operation.RESCHEDULE:
            changed = after(spec, understood)
            said = _meant(spec, meaning)
            if said is not None and coming(said) == coming(changed.schedule) and changed.enabled:
                return meaning
            return f"schedule {changed.schedule.describe()} in {changed.timezone}"
        case Operation.UNDO_SLOT:
            return "undo"
        case operation:
            return operation.value.replace("_", " ")


def _meant(spec: JobSpec, meaning: str) -> Schedule | None:
    """The schedule that the corpus names."""
    kind, _, text = meaning.partition(" ")
    if kind == "until":
        until = at(text) - timedelta(seconds=1)
        return _Listed(coming(spec.schedule, until))  # type: ignore[return-value]
    if kind != "schedule":
        return None
    expr, _, zone = text.partition(" in ")
    if text.startswith("once "):
        return make_once(at(text.removeprefix("once ")))
    if text.startswith("every "):
        found = parse_schedule(text, now=NOW, timezone=ZONE).schedule
        assert isinstance(found, IntervalSchedule)
        return found
    return make_cron(expr, zone or ZONE)


class _Listed:
    def __init__(self, slots: list[datetime]) -> None:
        self._slots = slots

    def next_after(self, instant: datetime) -> datetime | None:
        return next((slot for slot in self._slots if slot > instant), None)


def proposed(message: str, instruction: str) -> list[str]:
    """The forms that a refusal proposes."""
    said = message.replace(repr(instruction[:100]), "").partition("What can be said")[0]
    return re.findall(r"(?:say|or|write|as in|without it:) '([^']+)'", said)


@pytest.mark.parametrize(("name", "instruction", "meaning"), rows("change-requests.tsv"))
def test_a_change_request_means_what_a_person_means(
    name: str, instruction: str, meaning: str
) -> None:
    spec = JOBS[name]
    if not meaning.startswith("refused"):
        assert outcome(spec, asked(spec, instruction), meaning) == meaning
        return
    with pytest.raises(InvalidInput) as refused:
        asked(spec, instruction)
    assert meaning.removeprefix("refused").strip() in refused.value.message
    for form in proposed(refused.value.message, instruction):
        asked(spec, form)


@pytest.mark.parametrize(
    ("slot", "instruction", "to"),
    [
        ("2027-03-27 09:00", "postpone it by a day", "2027-03-28 09:00"),
        ("2027-03-27 09:00", "move it to the next day", "2027-03-28 09:00"),
        ("2027-03-29 09:00", "move it a week earlier", "2027-03-22 09:00"),
        ("2027-03-28 01:30", "move it an hour later", "2027-03-28 03:30"),
        ("2027-10-30 02:30", "move it 1 day later", "2027-10-31 02:30"),
        ("2027-10-31 09:00", "move it 24 hours earlier", "2027-10-30 10:00"),
    ],
)
def test_days_are_days_of_the_clock_over_its_changes_and_hours_are_hours(
    slot: str, instruction: str, to: str
) -> None:
    spec = cron("Report", f"{slot[14:]} {int(slot[11:13])} * * *")
    moved = understand(instruction, spec, at(slot), now=NOW, timezone=ZONE)
    assert moved.arguments["move_to"] == at(to).timestamp()


def test_after_midnight_tonight_is_asked_back_where_both_nights_have_a_run() -> None:
    now, slot = at("2026-12-01 00:30"), at("2026-12-01 02:00")
    with pytest.raises(InvalidInput, match=r"2026-12-01 at 02:00' or .* 2026-12-02 at 02:00'"):
        understand("skip tonight", JOBS["late"], slot, now=now, timezone=ZONE)
    tonight = understand("skip tonight", JOBS["backup"], slot, now=now, timezone=ZONE)
    assert tonight.arguments == {"slot_at": at("2026-12-01 21:00").timestamp()}


def test_days_are_those_of_the_zone_that_the_words_are_read_in() -> None:
    """At 12:05 in Berlin it is 00:05 of the next day in Auckland."""
    spec = JOBS["backup"]
    slot = spec.schedule.next_after(NOW)
    assert slot is not None
    skipped = understand("skip today", spec, slot, now=NOW, timezone="Pacific/Auckland")
    assert skipped.arguments.get("slot_at", slot.timestamp()) == at("2026-11-30 21:00").timestamp()


def test_a_run_that_is_moved_onto_another_one_is_warned_about() -> None:
    moved = asked(JOBS["report"], "move it to friday")
    assert moved.warnings == ("The job has another slot at that time.",)


def test_this_run_is_not_called_the_next_one_when_another_comes_before_it() -> None:
    with pytest.raises(InvalidInput, match=r"say 'skip it' for this one, or 'skip the run of"):
        understand(
            "skip the next run", JOBS["report"], at("2026-12-04 09:00"), now=NOW, timezone=ZONE
        )


def test_the_examples_of_a_refusal_are_understood() -> None:
    examples = EXAMPLES.split(", ")
    assert len(examples) > 20
    for example in examples:
        assert asked(JOBS["report"], example).operation in Operation


ROOT = Path(__file__).parents[3]

#: Where changes in words are offered, and how they stand there.
OFFERED = (
    ("web/src/features/changes/ChangeForm.tsx", r"For example: ([^\"]+)\"", ", "),
    ("src/universal_agent/cli/changes.py", r"help=\"('[^\"]+')\"", ", "),
    ("docs/cli.md", r"`ua job change \S+ ('[^`]+')`", ", "),
    ("docs/change-requests.md", r"^\| `([^|]+)` \| [^|]+ \|$", "`; `"),
)


@pytest.mark.parametrize(("path", "pattern", "between"), OFFERED)
def test_what_the_page_the_command_and_the_docs_offer_is_understood(
    path: str, pattern: str, between: str
) -> None:
    lists = re.findall(pattern, (ROOT / path).read_text("utf-8"), re.MULTILINE)
    assert lists
    for example in (text.strip("'") for found in lists for text in found.split(between)):
        assert asked(JOBS["report"], example).operation in Operation


def test_what_the_docs_say_is_refused_is_understood_in_the_forms_named() -> None:
    page = (ROOT / "docs" / "change-requests.md").read_text("utf-8")
    refused = re.findall(r"^\| `([^|`]+)` \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    assert refused
    for instruction, forms in refused:
        with pytest.raises(InvalidInput):
            asked(JOBS["report"], instruction)
        for form in re.findall(r"`([^`]+)`", forms):
            asked(JOBS["report"], form)

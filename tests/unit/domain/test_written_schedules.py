"""What people write, from the documentation and from collections of it, and what it means."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError

from universal_agent.domain.phrases import parse_schedule
from universal_agent.domain.schedule import CronSchedule, Schedule, make_cron
from universal_agent.errors import InvalidInput

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "fixtures" / "corpus"

#: A Monday.
NOW = datetime(2026, 11, 30, 12, 5, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
ZONE = "Europe/Berlin"


def read(text: str) -> Schedule:
    return parse_schedule(text, now=NOW, timezone=ZONE).schedule


def table_rows(page: str, columns: tuple[str, ...]) -> list[list[str]]:
    """The rows of the tables of a page that have these columns."""
    return list(_rows(page, columns))


def _rows(page: str, columns: tuple[str, ...]) -> Iterator[list[str]]:
    inside = False
    for line in (ROOT / "docs" / page).read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            inside = False
        elif tuple(cells) == columns:
            inside = True
        elif inside and not set(line) <= set("|- "):
            yield cells


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def assert_means(text: str, meaning: str) -> None:
    """`meaning`: a cron expression, perhaps with its zone, an interval, or one instant."""
    schedule = read(text)
    expected, *zone = code(meaning)
    if isinstance(schedule, CronSchedule):
        timezone = zone[0] if zone else ZONE
        assert schedule.timezone == timezone
        assert coming(schedule) == coming(make_cron(expected, timezone)), schedule.expr
    else:
        assert schedule.describe() == expected


def coming(schedule: Schedule) -> list[datetime]:
    slots: list[datetime] = []
    for start in (NOW, datetime(2027, 3, 27, tzinfo=UTC), datetime(2028, 2, 27, tzinfo=UTC)):
        slot = schedule.next_after(start)
        while slot is not None and len(slots) < 60:
            slots.append(slot)
            slot = schedule.next_after(slot)
    return slots


@pytest.mark.parametrize(("text", "meaning"), table_rows("schedules.md", ("write", "means")))
def test_what_the_documentation_says_is_what_is_understood(text: str, meaning: str) -> None:
    assert_means(code(text)[0], meaning)


@pytest.mark.parametrize(
    ("text", "_", "instead"), table_rows("schedules.md", ("refused", "because", "write"))
)
def test_what_is_refused_is_understood_in_the_forms_named(text: str, _: str, instead: str) -> None:
    with pytest.raises(InvalidInput):
        read(code(text)[0])
    for form in code(instead):
        assert read(form).next_after(NOW) is not None


@pytest.mark.parametrize(
    ("text", "_", "here"), table_rows("coming-from.md", ("line", "there", "here"))
)
def test_a_line_of_another_scheduler_means_what_is_said(text: str, _: str, here: str) -> None:
    line = code(text)[0]
    if not here.startswith("refused"):
        assert_means(line, here)
        return
    with pytest.raises(InvalidInput):
        read(line)


def corpus(name: str) -> list[list[str]]:
    """The rows of a collection, without its head."""
    lines = (CORPUS / name).read_text("utf-8").splitlines()[1:]
    return [line.split("\t") for line in lines]


def slots_of(schedule: Schedule) -> str:
    return " ".join(f"{slot:%Y-%m-%dT%H:%M:%SZ}" for slot in coming(schedule)[:3])


@pytest.mark.parametrize(
    ("text", "meaning", "expected"),
    [*corpus("phrases-meant.tsv"), *corpus("cron-lines-meant.tsv")],
)
def test_a_collected_line_has_its_slots_or_the_form_that_would_do(
    text: str, meaning: str, expected: str
) -> None:
    if meaning == "refused":
        with pytest.raises(InvalidInput) as refused:
            read(text)
        assert expected in refused.value.message
        return
    schedule = read(text)
    assert slots_of(schedule) == expected
    if isinstance(schedule, CronSchedule):
        expr, _, zone = meaning.partition(" in ")
        assert (schedule.expr, schedule.timezone) == (expr, zone or ZONE)
    else:
        assert schedule.describe() == meaning


def test_nothing_of_the_collection_is_missing() -> None:
    phrases = [row[0] for row in corpus("phrases.tsv")]
    assert [row[0] for row in corpus("phrases-meant.tsv")] == phrases
    lines = (CORPUS / "cron-lines.txt").read_text("utf-8").split("\n")
    assert [row[0] for row in corpus("cron-lines-meant.tsv")] == [line for line in lines if line]
    refused = [row for row in corpus("phrases-meant.tsv") if row[1] == "refused"]
    assert len(phrases) - len(refused) >= 172


#: Refused lines without a form to propose: another language, no time at all, or a number outside
#: its range, where the refusal says the range.
_WITHOUT_A_FORM = (
    *("tous les jours à 9h", "jeden Tag um 9 Uhr", "每天 9 点", "每天早上8点", "cada día a las 9"),
    *("@reboot", "0 0 0 1 1 ? 2027", "0 0 30 2 *", "0 0 31 2 *", "UTC 0 9 * * 1"),
    *("H * * * *", "H H * * *", "H/15 * * * *", "every working hour"),
    *("from time to time", "every so often", "every few hours", "every -5 minutes"),
    *("every day at 26:00", "every day at 13pm", "every 0 hours", "every 32nd at 9am"),
    *("every feb 30 at 9", "every day at 9am UTC+2", "every day at 9am every 2 hours"),
)


@pytest.mark.parametrize(
    "text",
    [
        row[0]
        for name in ("phrases-meant.tsv", "cron-lines-meant.tsv", "everyday.tsv")
        for row in corpus(name)
        if row[1] == "refused"
    ],
)
def test_a_refused_line_is_answered_with_forms_that_are_understood(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(text)
    head = refused.value.message.replace(f"got {text!r}", "").partition("; expected a schedule")[0]
    forms = re.findall(r"(?:write|or|as in|and|without it:|expected) '([^']+)'", head)
    assert bool(forms) is (text not in _WITHOUT_A_FORM)
    for form in forms:
        assert form != text
        assert read(form).next_after(NOW) is not None


def test_a_schedule_without_a_time_of_day_is_refused_as_the_collection_says() -> None:
    """cron's @daily and systemd's `daily` are midnight, but people who write "every day" are not
    of one mind: the collection marks these phrases "needs time", and the refusal proposes one.
    """
    marked = [row for row in corpus("phrases.tsv") if row[1].endswith("needs time")]
    assert len(marked) >= 10
    for phrase, *_ in marked:
        with pytest.raises(InvalidInput, match=r"needs a time of day, as in '.+ at 9am'"):
            read(phrase)


@pytest.mark.parametrize(("text", "meaning"), corpus("everyday.tsv"))
def test_an_everyday_phrase_means_what_a_person_means(text: str, meaning: str) -> None:
    if meaning == "refused":
        with pytest.raises(InvalidInput):
            read(text)
        return
    expr, _, zone = meaning.partition(" in ")
    assert_means(text, f"`{expr}`" + (f" in `{zone}`" if zone else ""))


@pytest.mark.parametrize("row", corpus("cron-lines-meant.tsv"), ids=lambda row: row[0])
def test_cronsim_has_the_same_slots_for_every_line_that_it_reads(row: list[str]) -> None:
    try:
        theirs = CronSim(row[0], NOW)
    except CronSimError:
        return
    schedule = make_cron(row[0], "UTC")
    ours = coming(schedule)[:20]
    assert ours == [next(theirs) for _ in ours]

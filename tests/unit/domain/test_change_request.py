from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.change_request import understand
from universal_agent.domain.change_terms import Operation
from universal_agent.domain.draft import draft_job
from universal_agent.domain.job import JobSpec
from universal_agent.domain.schedule import (
    CronSchedule,
    make_cron,
    make_interval,
    make_once,
)
from universal_agent.errors import InvalidInput

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SLOT = datetime(2026, 11, 25, 8, tzinfo=UTC)
SPEC = JobSpec(
    command="true",
    runner="shell",
    schedule=make_cron("0 9 * * 1-5", "Europe/Berlin"),
    timezone="Europe/Berlin",
    title="Report",
)


@pytest.mark.parametrize(
    ("instruction", "operation"),
    [
        ("pause", Operation.PAUSE),
        ("Pause this job.", Operation.PAUSE),
        ("please pause it", Operation.PAUSE),
        ("stop", Operation.DISABLE),
        ("resume", Operation.RESUME),
        ("run now", Operation.RUN_NOW),
        ("run it now", Operation.RUN_NOW),
        ("skip next", Operation.SKIP_SLOT),
        ("skip the next run", Operation.SKIP_SLOT),
        ("move it to tomorrow 9:15am", Operation.MOVE_SLOT),
        ("rename to Big Report", Operation.RENAME),
        ("rename it as Call it off", Operation.RENAME),
        ('call it "Big Report"', Operation.RENAME),
        ("Retitle this job “Big Report”.", Operation.RENAME),
        ("every 30 minutes", Operation.RESCHEDULE),
        ("change it to every weekday at 10am", Operation.RESCHEDULE),
        ("0 7 * * *", Operation.RESCHEDULE),
        ("at 07:30", Operation.RESCHEDULE),
    ],
)
def test_what_is_understood_is_one_operation(instruction: str, operation: Operation) -> None:
    assert understand(instruction, SPEC, SLOT, now=NOW, timezone="UTC").operation is operation


@pytest.mark.parametrize(
    "instruction",
    [
        "do not stop this job",
        "don't pause",
        "stop everything",
        "pause and resume",
        "every 0 minutes",
        "at 99",
        "at 25:00",
        "run it",
        "delete this job",
        "make it better",
        "call it off",
        "call off",
        "call this job off please",
        "call it a day",
        "rename",
        "rename it",
        "rename off",
        "",
        "   ",
        "x" * 301,
    ],
)
def test_what_is_not_understood_as_a_whole_is_refused_with_examples(instruction: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        understand(instruction, SPEC, SLOT, now=NOW, timezone="UTC")

    assert "every weekday at 9am" in refused.value.message


def test_another_time_of_day_keeps_the_days_and_the_zone() -> None:
    understood = understand("at 07:30", SPEC, SLOT, now=NOW, timezone="UTC")

    assert understood.arguments == {"cron_expr": "30 7 * * 1-5", "timezone": "Europe/Berlin"}


def test_every_weekday_stays_a_repeating_schedule() -> None:
    understood = understand("every weekday at 9am", SPEC, SLOT, now=NOW, timezone="Europe/Berlin")

    assert understood.arguments["schedule"] == "every weekday at 9am"
    assert understood.warnings == ()


def test_a_schedule_that_is_read_in_another_zone_than_the_jobs_says_so() -> None:
    understood = understand("every weekday at 9am", SPEC, SLOT, now=NOW, timezone="Asia/Tokyo")

    assert understood.arguments["timezone"] == "Asia/Tokyo"
    assert "Asia/Tokyo" in understood.warnings[0]
    assert "Europe/Berlin" in understood.warnings[0]


@pytest.mark.parametrize("instruction", ["run it tomorrow 10am", "in 2 hours", "once, friday 3pm"])
def test_one_time_for_a_job_that_repeats_is_asked_back(instruction: str) -> None:
    with pytest.raises(InvalidInput, match=r"'move it to [^']+' .* 'only once, [^']+'"):
        understand(instruction, SPEC, SLOT, now=NOW, timezone="UTC")


def test_a_repeating_job_that_is_to_run_once_is_warned_about() -> None:
    understood = understand("only once, tomorrow 9am", SPEC, SLOT, now=NOW, timezone="UTC")

    assert understood.warnings == ("The job will run once, and no longer repeat.",)


def test_moving_a_one_shot_changes_its_own_time() -> None:
    once = JobSpec(command="true", runner="shell", schedule=make_once(SLOT))

    understood = understand("move to tomorrow 10am", once, SLOT, now=NOW, timezone="UTC")

    assert understood.operation is Operation.RESCHEDULE
    assert set(understood.arguments) == {"run_at"}


@pytest.mark.parametrize("instruction", ["skip it", "move it to tomorrow 9am"])
def test_a_slot_of_the_past_is_neither_skipped_nor_moved(instruction: str) -> None:
    with pytest.raises(InvalidInput, match="past"):
        understand(instruction, SPEC, NOW, now=NOW, timezone="UTC")


def everyday() -> list[list[str]]:
    path = Path(__file__).parents[2] / "fixtures" / "corpus" / "changes.tsv"
    return [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]


@pytest.mark.parametrize(("instruction", "operation", "outcome"), everyday())
def test_an_everyday_sentence_asks_for_what_a_person_means(
    instruction: str, operation: str, outcome: str
) -> None:
    now = datetime(2026, 11, 30, 12, 5, tzinfo=BERLIN).astimezone(UTC)
    slot = datetime(2026, 12, 1, 9, tzinfo=BERLIN).astimezone(UTC)
    if operation == "refused":
        with pytest.raises(InvalidInput):
            understand(instruction, SPEC, slot, now=now, timezone="Europe/Berlin")
        return
    understood = understand(instruction, SPEC, slot, now=now, timezone="Europe/Berlin")
    arguments = understood.arguments
    assert understood.operation == operation
    if operation == "set_schedule":
        assert understood.edit is not None
        draft = draft_job(
            understood.edit,
            base=SPEC,
            now=now,
            default_runner="shell",
            shortest_interval=timedelta(0),
        )
        schedule = draft.spec.schedule
        meant = schedule.expr if isinstance(schedule, CronSchedule) else schedule.describe()
        assert meant == outcome
        assert draft.spec.timezone == "Europe/Berlin"
    elif operation == "move_slot":
        at = datetime.fromtimestamp(arguments["move_to"], BERLIN)
        assert f"{at:%Y-%m-%d %H:%M}" == outcome
    else:
        assert ",".join(map(str, arguments.values())) == outcome


def test_what_is_called_off_is_asked_back_with_both_readings() -> None:
    with pytest.raises(InvalidInput, match=r"'skip it' .* 'disable it'"):
        understand("call it off", SPEC, SLOT, now=NOW, timezone="UTC")


def test_a_schedule_that_begins_later_begins_now_when_it_is_resumed() -> None:
    held = replace(SPEC, schedule=make_cron("0 9 * * 1-5 from 2027-01-05T00:00", "Europe/Berlin"))
    understood = understand("resume", held, SLOT, now=NOW, timezone="UTC")
    assert understood.arguments == {"cron_expr": "0 9 * * 1-5", "timezone": "Europe/Berlin"}


@pytest.mark.parametrize("days", [2, 9])
def test_an_interval_that_is_paused_keeps_its_beat(days: int) -> None:
    schedule = make_interval(timedelta(hours=7), NOW - timedelta(minutes=5))
    spec = replace(SPEC, schedule=schedule, timezone="UTC")
    understood = understand(f"pause for {days} days", spec, SLOT, now=NOW, timezone="UTC")
    assert understood.edit is not None
    draft = draft_job(
        understood.edit,
        base=spec,
        now=NOW,
        default_runner="shell",
        shortest_interval=timedelta(0),
    )
    until = NOW + timedelta(days=days)
    following = draft.spec.schedule.next_after(NOW)
    assert following == schedule.next_after(until - timedelta(seconds=1))


@given(st.text(max_size=400))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        understand(text, SPEC, SLOT, now=NOW, timezone="UTC")

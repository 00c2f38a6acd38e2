from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.change_request import Operation, understand
from universal_agent.domain.job import JobSpec
from universal_agent.domain.schedule import make_cron, make_once
from universal_agent.errors import InvalidInput

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
    understood = understand("every weekday at 9am", SPEC, SLOT, now=NOW, timezone="UTC")

    assert understood.arguments["schedule"] == "every weekday at 9am"
    assert understood.warnings == ()


def test_a_repeating_job_that_is_to_run_once_is_warned_about() -> None:
    understood = understand("run it tomorrow 9am", SPEC, SLOT, now=NOW, timezone="UTC")

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


@given(st.text(max_size=400))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        understand(text, SPEC, SLOT, now=NOW, timezone="UTC")

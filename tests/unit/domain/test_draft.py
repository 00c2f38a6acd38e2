from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.draft import Drafted, draft_job
from universal_agent.domain.job import JobSpec, OffLabel, OnMiss, Overlap, Policy
from universal_agent.domain.job_draft import MAX_COMMAND_BYTES, MAX_METADATA_BYTES, JobDraft
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    make_cron,
    make_once,
)
from universal_agent.errors import InvalidInput

NOW = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def draft(
    fields: dict[str, Any],
    *,
    base: JobSpec | None = None,
    shortest: timedelta = SECOND,
    now: datetime = NOW,
) -> Drafted:
    return draft_job(
        JobDraft.of(fields),
        base=base,
        now=now,
        default_runner="shell",
        shortest_interval=shortest,
    )


def create(**fields: Any) -> JobSpec:
    return draft({"command": "true", **fields}).spec


def edit(base: JobSpec, **fields: Any) -> Drafted:
    return draft(fields, base=base)


DAILY = create(
    cron_expr="0 9 * * *",
    timezone="Europe/Berlin",
    title="Daily",
    metadata={"priority": "low"},
    retries=2,
    overlap="allow",
)


class TestWhatIsEqualChangesNothing:
    LATER = NOW + timedelta(minutes=7)

    @pytest.mark.parametrize("again", ["1m", "60s", "1 minute", "every 60 seconds"])
    def test_an_interval_keeps_its_anchor_however_it_is_written(self, again: str) -> None:
        base = create(every="1m")
        field = "schedule" if again.startswith("every") else "every"
        drafted = draft({field: again}, base=base, now=self.LATER)
        assert (drafted.spec, drafted.schedule_changed) == (base, False)

    def test_another_zone_leaves_an_interval_where_it_is(self) -> None:
        base = create(every="1m")
        drafted = draft({"every": "1m", "timezone": "Asia/Tokyo"}, base=base, now=self.LATER)
        assert drafted.spec == replace(base, timezone="Asia/Tokyo")
        assert not drafted.schedule_changed

    def test_another_interval_starts_at_the_edit(self) -> None:
        drafted = draft({"every": "2m"}, base=create(every="1m"), now=self.LATER)
        assert isinstance(drafted.spec.schedule, IntervalSchedule)
        assert drafted.spec.schedule.anchor == self.LATER + timedelta(microseconds=750_000)
        assert drafted.schedule_changed

    def test_a_cron_line_that_is_sent_again_changes_nothing(self) -> None:
        again = edit(DAILY, cron_expr=" 0  9 * * * ", timezone="Europe/Berlin")
        assert (again.spec, again.schedule_changed) == (DAILY, False)

    def test_a_cron_line_that_is_written_otherwise_has_the_same_slots(self) -> None:
        base = create(cron_expr="0 9 * * 1-5")
        drafted = edit(base, cron_expr="0 9 * * MON-FRI")
        assert drafted.spec.schedule == make_cron("0 9 * * MON-FRI", "UTC")
        assert not drafted.schedule_changed

    def test_a_wildcard_that_names_every_hour_differs_from_a_list_of_them(self) -> None:
        """Clock changes are treated otherwise for fixed times."""
        drafted = edit(create(cron_expr="0 * * * *"), cron_expr="0 0-23 * * *")
        assert drafted.schedule_changed

    def test_a_one_shot_that_is_sent_again_after_its_time_is_no_error(self) -> None:
        base = create(run_at="2026-11-24T12:01:00Z")
        drafted = draft({"run_at": "2026-11-24T12:01:00Z"}, base=base, now=self.LATER)
        assert (drafted.spec, drafted.schedule_changed) == (base, False)

    def test_a_title_that_is_shown_for_want_of_one_is_not_stored(self) -> None:
        base = create(every="1m")
        assert edit(base, title=base.display_title).spec == base

    def test_a_job_that_is_sent_back_whole_is_the_same(self) -> None:
        fields = {name: getattr(DAILY.policy, name) for name in Policy.__slots__}
        drafted = edit(
            DAILY,
            **fields,
            cron_expr="0 9 * * *",
            timezone="Europe/Berlin",
            title="Daily",
            metadata={"priority": "low"},
            enabled=True,
            off_label=None,
            command="true",
        )
        assert (drafted.spec, drafted.schedule_changed) == (DAILY, False)


class TestCreate:
    def test_a_command_and_a_schedule_make_a_job_and_the_rest_has_defaults(self) -> None:
        spec = create(every="30m")
        assert spec == JobSpec(
            command="true",
            runner="shell",
            schedule=IntervalSchedule(timedelta(minutes=30), NOW.replace(second=1, microsecond=0)),
            policy=Policy(on_miss=OnMiss.SKIP, useful_for_seconds=1800),
            follows_cadence=("on_miss", "useful_for_seconds"),
        )

    @pytest.mark.parametrize(
        ("fields", "schedule"),
        [
            ({"cron_expr": "*/5  * * * *"}, CronSchedule("*/5 * * * *", "UTC")),
            (
                {"cron_expr": "0 9 * * 1-5", "timezone": "Asia/Kathmandu"},
                CronSchedule("0 9 * * 1-5", "Asia/Kathmandu"),
            ),
            ({"run_at": "20m"}, make_once(NOW + timedelta(minutes=20))),
            ({"run_at": 1_900_000_000}, make_once(datetime.fromtimestamp(1_900_000_000, UTC))),
            (
                {"run_at": "2027-01-31T09:15", "timezone": "America/New_York"},
                make_once(datetime(2027, 1, 31, 14, 15, tzinfo=UTC)),
            ),
            ({"schedule": "every weekday at 9am"}, CronSchedule("0 9 * * 1-5", "UTC")),
        ],
    )
    def test_each_kind_of_schedule_is_read(
        self, fields: dict[str, Any], schedule: CronSchedule | OneShotSchedule
    ) -> None:
        assert create(**fields).schedule == schedule

    def test_now_is_the_next_whole_second_and_not_past(self) -> None:
        schedule = create(run_at="now").schedule
        assert isinstance(schedule, OneShotSchedule)
        assert schedule.run_at == NOW.replace(second=1, microsecond=0)

    def test_every_policy_can_be_set(self) -> None:
        policy = Policy(
            overlap=Overlap.QUEUE_ONE,
            on_miss=OnMiss.RUN_LATEST,
            misfire_grace_seconds=0,
            useful_for_seconds=3600,
            timeout_seconds=9,
            retries=4,
            retry_backoff=(5, 6),
            jitter_seconds=7,
            queue_limit_seconds=8,
            auto_pause_after=0,
            retry_interrupted=True,
        )
        fields = {name: getattr(policy, name) for name in Policy.__slots__}
        assert create(every="1m", **fields).policy == policy
        as_sent = fields | {"overlap": "queue_one", "retry_backoff": [5, 6]}
        assert create(every="1m", **as_sent).policy == policy

    def test_a_job_can_be_made_switched_off(self) -> None:
        spec = create(every="1m", enabled=False)
        assert (spec.enabled, spec.off_label) == (False, OffLabel.DISABLED)
        paused = create(every="1m", enabled=False, off_label="paused")
        assert paused.off_label is OffLabel.PAUSED

    def test_a_label_means_nothing_while_the_job_is_enabled(self) -> None:
        assert create(every="1m", enabled=True, off_label="paused").off_label is None

    @pytest.mark.parametrize("every", [60, 60.0, "60s", "1m"])
    def test_an_interval_is_words_or_its_seconds(self, every: object) -> None:
        spec = create(every=every)
        assert isinstance(spec.schedule, IntervalSchedule)
        assert spec.schedule.every == timedelta(seconds=60)
        assert spec.schedule.describe() == "every minute"

    def test_metadata_may_have_lines_and_any_finite_number(self) -> None:
        metadata = {"notes": "one\n\ttwo", "n": [1.5, -(2**63), 2**64 - 1, None, True], "ü": {}}
        assert create(every="30m", metadata=metadata).metadata == metadata


class TestEdit:
    def test_what_is_not_named_stays(self) -> None:
        after = edit(DAILY, title="Morning")
        assert after.spec == replace(DAILY, title="Morning")
        assert not after.schedule_changed

    def test_nothing_named_changes_nothing(self) -> None:
        assert edit(DAILY) == Drafted(DAILY, schedule_changed=False)

    def test_one_kind_of_schedule_takes_the_place_of_another(self) -> None:
        after = edit(DAILY, every="5m")
        assert isinstance(after.spec.schedule, IntervalSchedule)
        assert after.schedule_changed

    def test_a_zone_by_itself_moves_the_cron_expression_there(self) -> None:
        after = edit(DAILY, timezone="Asia/Tokyo")
        assert after.spec.schedule == make_cron("0 9 * * *", "Asia/Tokyo")
        assert after.schedule_changed

    def test_a_zone_by_itself_leaves_an_interval_as_it_is(self) -> None:
        base = create(every="5m")
        after = edit(base, timezone="Asia/Tokyo")
        assert after.spec == replace(base, timezone="Asia/Tokyo")
        assert not after.schedule_changed

    def test_the_same_schedule_again_is_no_change(self) -> None:
        assert not edit(DAILY, cron_expr="0 9 * * *").schedule_changed

    def test_a_naive_time_is_read_in_the_zone_of_the_job(self) -> None:
        schedule = edit(DAILY, run_at="2027-07-01T09:00").spec.schedule
        assert schedule == make_once(datetime(2027, 7, 1, 7, tzinfo=UTC))

    def test_switching_off_and_on_changes_what_is_expected(self) -> None:
        off = edit(DAILY, enabled=False, off_label="paused")
        assert (off.spec.off_label, off.schedule_changed) == (OffLabel.PAUSED, True)
        on = edit(off.spec, enabled=True)
        assert (on.spec, on.schedule_changed) == (DAILY, True)

    def test_a_job_that_is_off_keeps_its_label_through_other_edits(self) -> None:
        off = edit(DAILY, enabled=False, off_label="paused").spec
        assert edit(off, title="Later").spec.off_label is OffLabel.PAUSED

    def test_null_takes_a_policy_back_to_its_default(self) -> None:
        policy = edit(DAILY, retries=None, overlap=None, retry_backoff=None).spec.policy
        assert policy == replace(Policy(), on_miss=OnMiss.RUN_LATEST, useful_for_seconds=43_200)

    def test_null_takes_a_text_away(self) -> None:
        assert edit(DAILY, title=None).spec.title is None

    def test_null_does_not_clear_what_a_job_must_have(self) -> None:
        after = edit(DAILY, command=None, runner=None, cron_expr=None, timezone=None, enabled=None)
        assert after.spec == DAILY

    def test_a_finished_one_shot_can_be_moved_to_a_new_time(self) -> None:
        base = replace(DAILY, schedule=make_once(NOW - timedelta(days=1)))
        after = edit(base, run_at="20m")
        assert after.spec.schedule == make_once(NOW + timedelta(minutes=20))
        assert after.schedule_changed

    def test_a_one_shot_of_the_past_can_still_be_renamed(self) -> None:
        base = replace(DAILY, schedule=make_once(NOW - timedelta(days=1)))
        assert edit(base, title="Old").spec.schedule == base.schedule

    def test_switching_delete_after_run_off_and_the_schedule_over_go_together(self) -> None:
        base = create(run_at="20m", delete_after_run=True)
        after = edit(base, every="5m", delete_after_run=False)
        assert not after.spec.delete_after_run


MEGABYTE = "x" * 1024 * 1024

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"command": ""}, "command"),
    ({"command": "  \n\t "}, "command"),
    ({"command": MEGABYTE}, "command"),
    ({"command": "ü" * (MAX_COMMAND_BYTES // 2 + 1)}, "command"),
    ({"command": "echo \x00"}, "command"),
    ({"command": "echo \x1b[2J"}, "command"),
    ({"command": "echo \ud800"}, "command"),
    ({"every": "0s"}, "every"),
    ({"every": 0}, "every"),
    ({"every": -60}, "every"),
    ({"every": 90.5}, "every"),
    ({"every": True}, "every"),
    ({"every": float("nan")}, "every"),
    ({"every": float("inf")}, "every"),
    ({"every": 1e300}, "every"),
    ({"every": 10**400}, "every"),
    ({"every": 3650 * 86_400 + 1}, "every"),
    ({"every": "-5m"}, "every"),
    ({"every": "1e15d"}, "every"),
    ({"every": "99999999999 days"}, "every"),
    ({"every": "soon"}, "every"),
    ({"every": "1.5s"}, "every"),
    ({"cron_expr": "* * * *"}, "cron_expr"),
    ({"cron_expr": "61 * * * *"}, "cron_expr"),
    ({"cron_expr": "0 0 30 2 *"}, "cron_expr"),
    ({"cron_expr": ""}, "cron_expr"),
    ({"cron_expr": "* " * 100_000}, "cron_expr"),
    ({"run_at": "yesterday"}, "run_at"),
    ({"run_at": "2020-01-01T00:00:00Z"}, "run_at"),
    ({"run_at": 1_000_000_000}, "run_at"),
    ({"run_at": 57}, "run_at"),
    ({"run_at": "57"}, "run_at"),
    ({"run_at": 1e300}, "run_at"),
    ({"run_at": float("nan")}, "run_at"),
    ({"run_at": "when the cows come home"}, "run_at"),
    ({"schedule": "every now and then"}, "schedule"),
    ({"every": "5m", "cron_expr": "0 9 * * *"}, "cron_expr"),
    ({"every": "5m", "run_at": "20m"}, "run_at"),
    ({"cron_expr": "0 9 * * *", "schedule": "hourly"}, "schedule"),
    ({"timezone": "Mars/Olympus"}, "timezone"),
    ({"timezone": "../../etc/passwd"}, "timezone"),
    ({"timezone": ""}, "timezone"),
    ({"timezone": "x" * 100_000}, "timezone"),
    ({"title": "x" * 201}, "title"),
    ({"title": "two\nlines"}, "title"),
    ({"user_id": "x" * 65}, "user_id"),
    ({"user_id": " a "}, "user_id"),
    ({"user_id": ""}, "user_id"),
    ({"user_id": "a\n"}, "user_id"),
    ({"user_id": "a/b"}, "user_id"),
    ({"model": "\x07"}, "model"),
    ({"metadata": {"priority": "urgent"}}, "metadata.priority"),
    ({"metadata": {"priority": ["low"]}}, "metadata.priority"),
    ({"metadata": {"x": "y" * MAX_METADATA_BYTES}}, "metadata"),
    ({"metadata": {"x": 2**70}}, "metadata"),
    ({"metadata": {"x": "\ud800"}}, "metadata"),
    ({"metadata": {"x": ["a", {"y": "\x00"}]}}, "metadata"),
    ({"metadata": {"x": "\x1b[2J"}}, "metadata"),
    ({"metadata": {"x": "\x9b2J"}}, "metadata"),
    ({"metadata": {"a\nb": 1}}, "metadata"),
    ({"metadata": {"x" * 201: 1}}, "metadata"),
    ({"metadata": {"x": float("nan")}}, "metadata"),
    ({"metadata": {"x": [float("-inf")]}}, "metadata"),
    ({"metadata": {"x": (1, 2)}}, "metadata"),
    ({"metadata": {"title": "x" * 201}}, "metadata.title"),
    ({"metadata": {"title": "two\nlines"}}, "metadata.title"),
    ({"misfire_grace_seconds": -1}, "misfire_grace_seconds"),
    ({"useful_for_seconds": 0}, "useful_for_seconds"),
    ({"timeout_seconds": 0}, "timeout_seconds"),
    ({"timeout_seconds": 10**12}, "timeout_seconds"),
    ({"retries": 101}, "retries"),
    ({"jitter_seconds": 86_401}, "jitter_seconds"),
    ({"queue_limit_seconds": 0}, "queue_limit_seconds"),
    ({"auto_pause_after": -1}, "auto_pause_after"),
    ({"retry_backoff": []}, "retry_backoff"),
    ({"retry_backoff": [0]}, "retry_backoff"),
    ({"retry_backoff": [30] * 21}, "retry_backoff"),
    ({"delete_after_run": True, "every": "5m"}, "delete_after_run"),
]


def named(case: object) -> str:
    return repr(case)[:60]


@pytest.mark.parametrize(("fields", "field"), REFUSED, ids=named)
def test_what_makes_no_sense_is_refused_at_creation_and_names_its_field(
    fields: dict[str, Any], field: str
) -> None:
    if not {"every", "cron_expr", "run_at", "schedule"} & set(fields):
        fields = {"every": "5m", **fields}
    with pytest.raises(InvalidInput) as caught:
        create(**fields)
    assert caught.value.field == field
    assert caught.value.status == 400
    assert len(caught.value.message) < 600, "a refusal does not repeat a megabyte"


@pytest.mark.parametrize(("fields", "field"), REFUSED, ids=named)
def test_what_makes_no_sense_is_refused_in_an_edit_too(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        edit(DAILY, **fields)
    assert caught.value.field == field


def test_a_job_without_a_schedule_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(InvalidInput, match=r"every.*cron_expr.*run_at") as caught:
        create()
    assert caught.value.field == "every"


@pytest.mark.parametrize("said", ["cd /srv\r\nmake\r\n", "cd /srv\rmake\r"])
def test_a_carriage_return_is_a_line_break_and_no_part_of_a_shell_line(said: str) -> None:
    assert create(command=said, every="1h").command == "cd /srv\nmake\n"


def test_a_job_without_a_command_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        draft({"every": "5m"})
    assert caught.value.field == "command"


def test_a_bad_zone_beside_a_good_expression_refuses_both() -> None:
    """An edit is all or nothing: it makes no spec in which only the expression is new."""
    with pytest.raises(InvalidInput) as caught:
        edit(DAILY, cron_expr="30 8 * * *", timezone="Mars/Olympus")
    assert caught.value.field == "timezone"


def test_the_shortest_interval_is_the_operators_to_set() -> None:
    with pytest.raises(InvalidInput, match="UA_MIN_INTERVAL_SECONDS") as caught:
        draft({"command": "true", "every": "59s"}, shortest=timedelta(minutes=1))
    assert caught.value.field == "every"
    draft({"command": "true", "every": "60s"}, shortest=timedelta(minutes=1))


def test_a_command_of_the_largest_size_is_accepted() -> None:
    assert len(create(every="5m", command="x" * MAX_COMMAND_BYTES).command) == MAX_COMMAND_BYTES


texts = st.text(max_size=40)
plain = st.none() | st.booleans() | st.integers() | st.floats() | texts


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "command": texts,
            "every": texts,
            "cron_expr": texts,
            "run_at": texts | st.integers() | st.floats(),
            "schedule": texts,
            "timezone": texts,
            "title": texts,
            "metadata": st.dictionaries(texts, plain, max_size=3),
            "retries": st.integers(),
            "retry_backoff": st.lists(st.integers(), max_size=4),
            "jitter_seconds": st.integers(),
            "delete_after_run": st.booleans(),
        },
    ),
    base=st.none() | st.just(DAILY),
)
def test_garbage_of_the_right_types_is_a_whole_spec_or_a_refusal(
    fields: dict[str, Any], base: JobSpec | None
) -> None:
    try:
        made = draft(fields, base=base)
    except InvalidInput as error:
        refusal = error
    else:
        assert made.spec.command.strip()
        schedule = made.spec.schedule
        assert not isinstance(schedule, OneShotSchedule) or schedule.run_at >= NOW
        return
    assert refusal.field


class TestWords:
    """A schedule means the same in whatever field it is given, and its words name its zone."""

    def test_a_zone_in_the_words_goes_before_the_field_and_the_default(self) -> None:
        words = "every day at 9am Asia/Tokyo"
        spec = create(schedule=words, timezone="Europe/Berlin")
        assert (spec.timezone, spec.schedule) == (
            "Asia/Tokyo",
            make_cron("0 9 * * *", "Asia/Tokyo"),
        )

    def test_without_a_zone_the_default_is_taken(self) -> None:
        made = draft_job(
            JobDraft(command="true", schedule="every day at 9am"),
            base=None,
            now=NOW,
            default_runner="shell",
            shortest_interval=SECOND,
            default_timezone="Europe/Berlin",
        )
        assert made.spec.schedule == make_cron("0 9 * * *", "Europe/Berlin")

    def test_a_line_with_a_zone_is_read_as_cron_expr_too(self) -> None:
        spec = create(cron_expr="CRON_TZ=Asia/Tokyo 0 8 * * *")
        assert spec.schedule == make_cron("0 8 * * *", "Asia/Tokyo")
        assert spec.timezone == "Asia/Tokyo"

    def test_an_interval_of_robfig_is_an_interval_in_either_field(self) -> None:
        for field in ("cron_expr", "schedule"):
            schedule = create(**{field: "@every 6h"}).schedule
            assert isinstance(schedule, IntervalSchedule)
            assert schedule.every == timedelta(hours=6)

    def test_a_length_of_time_alone_is_once(self) -> None:
        assert isinstance(create(schedule="30m").schedule, OneShotSchedule)
        assert isinstance(create(run_at="30m").schedule, OneShotSchedule)
        assert isinstance(create(every="30m").schedule, IntervalSchedule)

    def test_every_other_friday_that_is_said_again_keeps_its_weeks(self) -> None:
        words = "every other friday at 9am"
        base = create(schedule=words)
        later = draft({"schedule": words}, base=base, now=NOW + timedelta(days=7))
        assert later.spec.schedule == base.schedule
        assert not later.schedule_changed

    def test_another_start_is_another_schedule(self) -> None:
        base = create(schedule="every hour")
        edited = edit(base, schedule="every hour starting tomorrow at 10")
        assert edited.schedule_changed
        assert edited.spec.schedule.next_after(NOW) == datetime(2026, 11, 25, 10, tzinfo=UTC)

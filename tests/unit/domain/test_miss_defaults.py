"""What becomes of missed slots where a job does not say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from universal_agent.domain.draft import draft_job
from universal_agent.domain.job import JobSpec, OnMiss, spec_from_record, spec_to_record
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.miss_defaults import cadence, explain_policy
from universal_agent.domain.schedule import make_cron

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = 3600
DAY = 24 * HOUR
BOTH = ("on_miss", "useful_for_seconds")


def made(base: JobSpec | None = None, *, default: OnMiss | None = None, **fields: Any) -> JobSpec:
    if base is None:
        fields = {"command": "true", **fields}
    return draft_job(
        JobDraft.of(fields),
        base=base,
        now=NOW,
        default_runner="shell",
        shortest_interval=timedelta(seconds=1),
        default_on_miss=default,
    ).spec


def policy(spec: JobSpec) -> tuple[str, int | None]:
    return spec.policy.on_miss, spec.policy.useful_for_seconds


@pytest.mark.parametrize(
    ("fields", "on_miss", "useful_for"),
    [
        ({"every": "10s"}, "skip", 10),
        ({"every": "59m"}, "skip", 59 * 60),
        ({"every": "1h"}, "run_latest", HOUR // 2),
        ({"every": "6h"}, "run_latest", 3 * HOUR),
        ({"every": "24h"}, "run_latest", 12 * HOUR),
        ({"every": "7d"}, "ask", 7 * DAY),
        ({"cron_expr": "*/5 * * * *"}, "skip", 300),
        ({"cron_expr": "*/30 9-17 * * 1-5"}, "skip", 1800),
        ({"cron_expr": "0 9 * * *"}, "run_latest", 12 * HOUR),
        ({"cron_expr": "0 9,17 * * 1-5"}, "run_latest", 4 * HOUR),
        ({"cron_expr": "0 9 * * 1-5"}, "run_latest", 12 * HOUR),
        ({"cron_expr": "0 9 * * 1"}, "ask", 7 * DAY),
        ({"cron_expr": "0 0 1 * *"}, "ask", 28 * DAY),
        ({"cron_expr": "0 0 29 2 *"}, "ask", (4 * 365 + 1) * DAY),
        ({"cron_expr": "0 0 1 1 *"}, "ask", 365 * DAY),
        ({"run_at": "in 2 hours"}, "ask", None),
        ({"every": "10m", "side_effects": True}, "ask", 600),
        ({"every": "6h", "side_effects": True}, "ask", 6 * HOUR),
        ({"run_at": "in 2 hours", "side_effects": True}, "ask", None),
    ],
)
def test_the_policy_follows_from_the_cadence(
    fields: dict[str, Any], on_miss: str, useful_for: int | None
) -> None:
    spec = made(**fields)
    assert (*policy(spec), spec.follows_cadence) == (on_miss, useful_for, BOTH)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_clock_changes_do_not_make_a_week_shorter(zone: str) -> None:
    assert cadence(make_cron("0 9 * * 0", zone)) == timedelta(days=7)
    assert cadence(make_cron("30 2 * * *", zone)) == timedelta(days=1)


def test_what_a_person_sets_stays() -> None:
    spec = made(every="10m", on_miss="run_all", useful_for_seconds=5)
    assert (*policy(spec), spec.follows_cadence) == ("run_all", 5, ())
    assert policy(made(every="10m", on_miss="ask")) == ("ask", None)


def test_a_length_that_a_person_set_goes_with_the_policy_of_the_cadence() -> None:
    spec = made(every="6h", useful_for_seconds=60)
    assert (*policy(spec), spec.follows_cadence) == ("run_latest", 60, ("on_miss",))


class TestEdits:
    def test_the_policy_follows_the_schedule(self) -> None:
        assert policy(made(made(every="10m"), every="6h")) == ("run_latest", 3 * HOUR)
        assert policy(made(made(every="6h"), side_effects=True)) == ("ask", 6 * HOUR)

    def test_a_policy_that_was_set_does_not(self) -> None:
        assert policy(made(made(every="10m", on_miss="ask"), every="6h")) == ("ask", None)

    def test_a_policy_that_is_set_takes_the_length_of_the_cadence_with_it(self) -> None:
        assert policy(made(made(every="6h"), on_miss="ask")) == ("ask", None)

    def test_null_follows_the_cadence_again(self) -> None:
        spec = made(made(every="6h", on_miss="ask"), on_miss=None, useful_for_seconds=None)
        assert (*policy(spec), spec.follows_cadence) == ("run_latest", 3 * HOUR, BOTH)

    def test_a_job_that_is_sent_back_whole_follows_as_before(self) -> None:
        base = made(every="6h")
        again = made(
            base, on_miss=base.policy.on_miss, useful_for_seconds=base.policy.useful_for_seconds
        )
        assert again == base

    def test_a_job_of_an_older_version_keeps_its_policy(self) -> None:
        record = spec_to_record(made(every="10m", on_miss="ask"))
        del record["follows_cadence"], record["side_effects"]
        assert policy(made(spec_from_record(record), title="Another", every="6h")) == ("ask", None)


class TestTheSetting:
    def test_a_set_default_is_that_of_jobs_that_say_nothing(self) -> None:
        spec = made(every="10m", default=OnMiss.ASK)
        assert (*policy(spec), spec.follows_cadence) == ("ask", None, ())
        assert policy(made(every="10m", on_miss="skip", default=OnMiss.ASK)) == ("skip", None)

    def test_a_length_that_was_set_stays_with_it(self) -> None:
        spec = made(every="10m", useful_for_seconds=7, default=OnMiss.ASK)
        assert policy(spec) == ("ask", 7)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"every": "10m"},
            (
                "Missed slots are skipped (on_miss skip, since its slots are 10 minutes or more "
                "apart)."
            ),
        ),
        (
            {"cron_expr": "0 9 * * *"},
            (
                "Of its missed slots the latest one runs, within 12 hours (on_miss run_latest, "
                "since its slots are 1 day or more apart)."
            ),
        ),
        (
            {"run_at": "in 2 hours"},
            "Missed slots wait for a decision (on_miss ask, since it runs once).",
        ),
        (
            {"every": "10m", "side_effects": True},
            (
                "Missed slots wait for a decision, within 10 minutes (on_miss ask, since it has "
                "side effects)."
            ),
        ),
        (
            {"every": "10m", "on_miss": "run_all", "useful_for_seconds": 60},
            "Its missed slots run, within 1 minute (on_miss run_all).",
        ),
    ],
)
def test_the_policy_is_explained_in_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    assert explain_policy(made(**fields)) == sentence

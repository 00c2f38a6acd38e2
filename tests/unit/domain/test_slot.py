from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.local_time import LAST_SECOND
from universal_agent.domain.slot import SlotKey, Source, epoch, from_epoch
from universal_agent.errors import InvalidInput

refs = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
seconds = st.integers(0, LAST_SECOND - 1)


@given(source=st.sampled_from(Source), ref=refs, at=seconds)
def test_an_event_id_names_its_slot_and_no_other(source: Source, ref: str, at: int) -> None:
    key = SlotKey(source, ref, from_epoch(at))
    assert SlotKey.parse(key.event_id) == key


def test_an_event_id_is_source_and_owner_and_epoch() -> None:
    key = SlotKey(Source.CRON, "job_1a2b", datetime(2026, 1, 1, tzinfo=UTC))
    assert key.event_id == "cron|job_1a2b|1767225600"


@given(at=seconds, micros=st.integers(0, 999_999))
def test_the_epoch_of_an_instant_is_its_whole_second(at: int, micros: int) -> None:
    assert epoch(from_epoch(at) + timedelta(microseconds=micros)) == at


@pytest.mark.parametrize(
    "event_id",
    [
        "",
        "cron",
        "cron|job_1",
        "cron|job_1|",
        "cron|job_1|1|2",
        "cron|job_1|-1",
        "cron|job_1|1.5",
        "cron|job_1|01",
        "cron|job_1| 1",
        "cron|job_1|1\n",
        "cron|job_1|١",
        "cron|job_1|9999999999999",
        "cron|job_1|999999999999",
        "cron|job_1|253402300799",
        f"heartbeat|session_1|{LAST_SECOND}",
        "cron||1",
        "cron|..|1",
        "cron|../../etc/passwd|1",
        "cron|job 1|1",
        "cron|job_1\n|1",
        "cron|" + "a" * 65 + "|1",
        "CRON|job_1|1",
        "calendar|job_1|1",
        "cron/job_1/1",
        "cron|job_1|1e9",
        "x" * 100_000,
    ],
)
def test_whatever_is_no_event_id_is_refused_and_named(event_id: str) -> None:
    with pytest.raises(InvalidInput, match="expected an event id") as caught:
        SlotKey.parse(event_id)
    assert caught.value.field == "event_id"
    assert len(caught.value.message) < 300


@given(st.text(max_size=80))
def test_any_text_is_either_an_event_id_or_refused(text: str) -> None:
    try:
        key = SlotKey.parse(text)
    except InvalidInput:
        return
    assert key.event_id == text


def test_the_largest_epoch_that_is_accepted_is_an_instant() -> None:
    assert SlotKey.parse("cron|job_1|99999999999").scheduled_at.year == 5138

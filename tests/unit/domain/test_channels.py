"""What a channel takes, and when."""

from datetime import UTC, datetime, timedelta

import pytest

from universal_agent.domain.active_hours import ActiveHours
from universal_agent.domain.channels import ChannelRules, minute_of_day
from universal_agent.domain.deliveries import Occasion
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.errors import InvalidInput

NIGHT = ChannelRules(quiet=ActiveHours.parse("22:00-07:00"), timezone="Europe/Berlin")
DAILY = ChannelRules(digest=minute_of_day("08:00", field="digest"), timezone="Europe/Berlin")


def berlin(day: int, hour: int, minute: int = 0) -> datetime:
    """A time in Berlin in January, where clocks are an hour ahead of UTC."""
    return datetime(2027, 1, day, hour, minute, tzinfo=UTC) - timedelta(hours=1)


def news(severity: Severity, kind: Kind = Kind.FAILED, **metadata: str) -> Notification:
    return Notification(
        notification_id="ntf_1",
        kind=kind,
        severity=severity,
        title="t",
        message="m",
        source_ref="job_1",
        session_id=None,
        incident="i",
        is_open=True,
        status=NotificationStatus.NEW,
        created_at=berlin(1, 0),
        updated_at=berlin(1, 0),
        metadata=metadata,
    )


def test_what_is_less_severe_is_not_taken() -> None:
    rules = ChannelRules(least=Severity.WARNING)
    taken = [s for s in Severity if rules.takes(news(s), Occasion.NEW)]
    assert taken == [Severity.WARNING, Severity.ERROR]


def test_the_end_of_something_goes_where_it_went() -> None:
    rules = ChannelRules(least=Severity.ERROR)
    assert rules.takes(news(Severity.INFO, Kind.RECOVERED, over="error"), Occasion.NEW)
    assert not rules.takes(news(Severity.INFO, Kind.RECOVERED, over="warning"), Occasion.NEW)


def test_a_channel_may_do_without_reminders() -> None:
    rules = ChannelRules(reminders=False)
    taken = [o for o in Occasion if rules.takes(news(Severity.ERROR), o)]
    assert taken == [Occasion.NEW, Occasion.UPDATE, Occasion.RELAPSE]


def test_nothing_is_released_in_quiet_hours_and_all_of_it_after_them() -> None:
    assert NIGHT.released(berlin(1, 21, 59)) == berlin(1, 21, 59)
    assert NIGHT.released(berlin(1, 22)) is None
    assert NIGHT.released(berlin(2, 6, 59)) is None
    assert NIGHT.next_release(berlin(1, 23)) == berlin(2, 7)
    assert NIGHT.released(berlin(2, 7)) == berlin(2, 7)


def test_a_digest_releases_what_came_before_its_time_of_day() -> None:
    assert DAILY.released(berlin(2, 7, 59)) == berlin(1, 8)
    assert DAILY.next_release(berlin(2, 7, 59)) == berlin(2, 8)
    assert DAILY.released(berlin(2, 8)) == berlin(2, 8)
    assert DAILY.next_release(berlin(2, 8)) == berlin(3, 8)


def test_a_digest_time_that_the_clock_leaps_over_is_the_end_of_the_leap() -> None:
    rules = ChannelRules(digest=minute_of_day("02:30", field="digest"), timezone="Europe/Berlin")
    before = datetime(2027, 3, 28, 0, 0, tzinfo=UTC)
    assert rules.next_release(before) == datetime(2027, 3, 28, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["8:00", "24:00", "08:60", "0800", "", "aa:bb", "08:0x"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected a time such as 08:00"):
        minute_of_day(text, field="digest")

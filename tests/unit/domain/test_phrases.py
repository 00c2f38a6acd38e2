import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from universal_agent.domain.phrases import (
    describe_duration,
    describe_instant,
    parse_duration,
    parse_instant,
    parse_schedule,
    read_instant,
)
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    make_cron,
)
from universal_agent.errors import InvalidInput, InvalidPhrase, InvalidSchedule

BERLIN = ZoneInfo("Europe/Berlin")

#: A Tuesday.
NOW = datetime(2026, 11, 24, 15, 30, tzinfo=BERLIN)


def berlin(text: str | float, now: datetime = NOW) -> str:
    """What the phrase means, as Berlin's clock shows it."""
    instant = parse_instant(text, now=now.astimezone(UTC), timezone="Europe/Berlin")
    assert instant.tzinfo is UTC
    return instant.astimezone(BERLIN).strftime("%a %Y-%m-%d %H:%M:%S")


def refusal(text: str | float, now: datetime = NOW) -> str:
    with pytest.raises(InvalidPhrase) as caught:
        parse_instant(text, now=now, timezone="Europe/Berlin")
    assert caught.value.field == "run_at"
    return caught.value.message


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("30m", 1800),
            ("1h30m", 5400),
            ("90s", 90),
            ("2 hours", 7200),
            ("1 hour and 5 minutes", 3900),
            ("2 hours, 5 minutes and 1 second", 7501),
            ("1.5h", 5400),
            ("an hour", 3600),
            ("half an hour", 1800),
            ("half a minute", 30),
            ("two days", 172_800),
            ("1w", 604_800),
            ("  1H\u00a030M ", 5400),
            ("３０ｍ", 1800),
            ("every 2s", 2),
            ("every hour", 3600),
            ("3650 days", 315_360_000),
        ],
    )
    def test_a_length_of_time_is_understood(self, text: str, seconds: int) -> None:
        assert parse_duration(text) == timedelta(seconds=seconds)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "got nothing"),
            ("1800", "a number needs a unit"),
            ("0m", "from 1 second to 3650 days"),
            ("every 0 minutes", "from 1 second to 3650 days"),
            ("3651 days", "from 1 second to 3650 days"),
            ("9" * 190 + "d", "from 1 second to 3650 days"),
            ("0.5s", "whole number of seconds"),
            ("30m 1h", "from long to short"),
            ("1h 1h", "from long to short"),
            ("every 1e15d", "not understood"),
            ("-5m", "not understood"),
            ("5 months", "not understood"),
            ("5m please", "not understood"),
            ("1h and", "not understood"),
            ("every", "not understood"),
            ("1h" * 101, "at most 200 characters"),
        ],
    )
    def test_anything_else_is_refused_with_examples(self, text: str, reason: str) -> None:
        with pytest.raises(InvalidPhrase, match=reason) as caught:
            parse_duration(text)
        assert "such as '30m', '1h30m', '90s' or '2 hours'" in caught.value.message
        assert caught.value.field == "every"

    @given(st.integers(1, 315_360_000))
    def test_a_length_of_time_in_words_is_understood_as_itself(self, seconds: int) -> None:
        length = timedelta(seconds=seconds)
        assert parse_duration(describe_duration(length)) == length


class TestInstants:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("now", "Tue 2026-11-24 15:30:00"),
            ("20m", "Tue 2026-11-24 15:50:00"),
            ("in 90 minutes", "Tue 2026-11-24 17:00:00"),
            ("2 hours from now", "Tue 2026-11-24 17:30:00"),
            ("in an hour", "Tue 2026-11-24 16:30:00"),
            ("in 2 days", "Thu 2026-11-26 15:30:00"),
            ("in 2 days at 9am", "Thu 2026-11-26 09:00:00"),
            ("in a week at noon", "Tue 2026-12-01 12:00:00"),
            ("1am", "Wed 2026-11-25 01:00:00"),
            ("12am", "Wed 2026-11-25 00:00:00"),
            ("12pm", "Wed 2026-11-25 12:00:00"),
            ("13:30", "Wed 2026-11-25 13:30:00"),
            ("16:00", "Tue 2026-11-24 16:00:00"),
            ("9:15 p.m.", "Tue 2026-11-24 21:15:00"),
            ("at 7", "Wed 2026-11-25 07:00:00"),
            ("at 17", "Tue 2026-11-24 17:00:00"),
            ("noon", "Wed 2026-11-25 12:00:00"),
            ("midnight", "Wed 2026-11-25 00:00:00"),
            ("today at 5pm", "Tue 2026-11-24 17:00:00"),
            ("tomorrow 9:15am", "Wed 2026-11-25 09:15:00"),
            ("Tomorrow  at\t9:15AM", "Wed 2026-11-25 09:15:00"),
            ("9am tomorrow", "Wed 2026-11-25 09:00:00"),
            ("tomorrow morning at 8", "Wed 2026-11-25 08:00:00"),
            ("this evening at 6", "Tue 2026-11-24 18:00:00"),
            ("tonight", "Tue 2026-11-24 20:00:00"),
            ("tonight at 11", "Tue 2026-11-24 23:00:00"),
            ("tonight at 9:30", "Tue 2026-11-24 21:30:00"),
            ("tonight at 12", "Wed 2026-11-25 00:00:00"),
            ("tonight at midnight", "Wed 2026-11-25 00:00:00"),
            ("tonight at 1", "Wed 2026-11-25 01:00:00"),
            ("friday night at 11", "Fri 2026-11-27 23:00:00"),
            ("friday night at 1", "Sat 2026-11-28 01:00:00"),
            ("monday 9am", "Mon 2026-11-30 09:00:00"),
            ("tuesday at 16:00", "Tue 2026-11-24 16:00:00"),
            ("tuesday at 15:00", "Tue 2026-12-01 15:00:00"),
            ("on thu at 7", "Thu 2026-11-26 07:00:00"),
            ("next monday at 7", "Mon 2026-11-30 07:00:00"),
            ("next tuesday at 16:00", "Tue 2026-12-01 16:00:00"),
            ("dec 24 at 9", "Thu 2026-12-24 09:00:00"),
            ("24th of december at 9am", "Thu 2026-12-24 09:00:00"),
            ("January 5th 9am", "Tue 2027-01-05 09:00:00"),
            ("24 nov at 15:00", "Wed 2027-11-24 15:00:00"),
            ("dec 24, 2028 9am", "Sun 2028-12-24 09:00:00"),
            ("feb 29 at noon", "Tue 2028-02-29 12:00:00"),
            ("2027-01-31 9am", "Sun 2027-01-31 09:00:00"),
            ("2027-01-31 at 9", "Sun 2027-01-31 09:00:00"),
            ("2027-01-31", "Sun 2027-01-31 00:00:00"),
            ("2027-01-31T09:15", "Sun 2027-01-31 09:15:00"),
            ("2027-01-31 09:15:30", "Sun 2027-01-31 09:15:30"),
            ("2027-01-31t09:15:30.25", "Sun 2027-01-31 09:15:31"),
            ("2027-01-31T09:15:00Z", "Sun 2027-01-31 10:15:00"),
            ("2027-01-31T09:15:00.5 Z", "Sun 2027-01-31 10:15:01"),
            ("2027-01-31T09:15-05:00", "Sun 2027-01-31 15:15:00"),
            ("2020-01-01T00:00", "Wed 2020-01-01 00:00:00"),
        ],
    )
    def test_an_instant_is_understood(self, text: str, expected: str) -> None:
        assert berlin(text) == expected

    @pytest.mark.parametrize("text", [1_800_000_000, 1_800_000_000.0, "1800000000", " 1800000000 "])
    def test_epoch_seconds_are_never_a_length_of_time(self, text: str | float) -> None:
        assert berlin(text) == "Fri 2027-01-15 09:00:00"

    @pytest.mark.parametrize(
        "text", ["20", "1800", 20, 0, -5, True, 1e15, "1800000000000", 10**400]
    )
    def test_a_number_that_cannot_be_an_epoch_is_refused(self, text: str | float) -> None:
        assert "a bare number is an instant in epoch seconds" in refusal(text)

    @pytest.mark.parametrize("text", [float("nan"), float("inf")])
    def test_no_number_at_all_is_refused(self, text: float) -> None:
        assert "got 'a number beyond all years'" in refusal(text)

    def test_a_time_of_day_is_never_in_the_past(self) -> None:
        assert berlin("15:30") == "Wed 2026-11-25 15:30:00"
        assert berlin("tonight", NOW.replace(hour=21)) == "Wed 2026-11-25 20:00:00"

    def test_tonight_after_midnight_is_the_night_that_goes_on(self) -> None:
        early = NOW.replace(hour=0)
        assert berlin("tonight at 1", early) == "Tue 2026-11-24 01:00:00"
        assert berlin("tonight at 11", early) == "Tue 2026-11-24 23:00:00"

    def test_a_fraction_of_a_second_is_rounded_up(self) -> None:
        late = NOW.replace(microsecond=1)
        assert berlin("now", late) == "Tue 2026-11-24 15:30:01"
        assert berlin("20m", late) == "Tue 2026-11-24 15:50:01"

    def test_a_time_in_the_gap_is_right_after_it(self) -> None:
        winter = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
        assert berlin("tomorrow at 2:30am", winter) == "Sun 2026-03-29 03:00:00"
        assert berlin("2026-03-29T02:59:59.5", winter) == "Sun 2026-03-29 03:00:00"

    def test_a_time_in_the_repeated_hour_is_the_first(self) -> None:
        summer = datetime(2026, 10, 24, 12, tzinfo=BERLIN)
        instant = parse_instant("tomorrow 2:30am", now=summer, timezone="Europe/Berlin")
        assert instant == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    def test_a_length_of_time_counts_real_hours_across_a_clock_change(self) -> None:
        winter = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
        assert berlin("in 1 day", winter) == "Sun 2026-03-29 13:00:00"
        assert berlin("in 1 day at noon", winter) == "Sun 2026-03-29 12:00:00"

    def test_today_is_the_zones_today(self) -> None:
        now = datetime(2026, 11, 24, 12, tzinfo=UTC)
        instant = parse_instant("today at 11pm", now=now, timezone="Pacific/Auckland")
        assert instant.astimezone(ZoneInfo("Pacific/Auckland")).day == 25

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "got nothing"),
            (" \n ", "got nothing"),
            ("at 99", "a time of day is from 00:00 to 23:59"),
            ("25:00", "a time of day is from 00:00 to 23:59"),
            ("24:00", "a time of day is from 00:00 to 23:59"),
            ("9:60", "a time of day is from 00:00 to 23:59"),
            ("9:15:61", "a time of day is from 00:00 to 23:59"),
            ("13pm", "there is no 13 pm"),
            ("0am", "there is no 0 am"),
            ("tomorrow", "this needs a time of day"),
            ("monday", "this needs a time of day"),
            ("dec 24", "this needs a time of day"),
            ("today at 9am", "09:00 has passed today"),
            ("tonight at 9am", "09:00 is not in the night"),
            ("tomorrow morning at 3pm", "15:00 is not in the morning"),
            ("feb 30 at 9", "that month has no such day"),
            ("feb 29, 2027 at 9", "there is no such date"),
            ("dec 24, 1066 at 9", "a year is from 1970 to 9989"),
            ("2027-02-30 9am", "there is no such date"),
            ("2027-02-30T09:00", "there is no such date and time"),
            ("2027-01-31T25:00", "there is no such date and time"),
            ("0001-01-01T00:00+14:00", "a year is from 1970 to 9989"),
            ("in 999999999 days", "from 1 second to 3650 days"),
            ("in 36h at 9", "not understood"),
            ("7", "a bare number"),
            ("tomorrow 9", "not understood"),
            ("tomorrow at 9 tomorrow", "not understood"),
            ("tomorrow at 9am or so", "not understood"),
            ("next week", "this is not one instant"),
            ("do not stop this job", "not understood"),
            ("do not run tomorrow at 9am", "not understood"),
            ("tomorrow at 9am\u200b", "not understood"),
            ("\ud800", "not understood"),
            ("1\0am", "not understood"),
            ("x" * 201, "at most 200 characters"),
        ],
    )
    def test_anything_else_is_refused_with_the_reason(self, text: str, reason: str) -> None:
        assert reason in refusal(text)

    def test_a_refusal_gives_examples_and_says_what_came(self) -> None:
        message = refusal("whenever you like")
        for part in ("'20m'", "'tomorrow 9:15am'", "'next monday at 7'", "'whenever you like'"):
            assert part in message

    @pytest.mark.parametrize(
        ("text", "instead"),
        [
            ("every weekday at 9am", "`cron_expr` '0 9 * * 1-5'"),
            ("mondays at 9", "`cron_expr` '0 9 * * 1'"),
            ("every 90 minutes", "`every` '1 hour 30 minutes'"),
        ],
    )
    def test_a_recurring_phrase_is_refused_with_the_schedule_to_use(
        self, text: str, instead: str
    ) -> None:
        assert f"a recurring phrase, which is to be given as {instead}" in refusal(text)

    def test_a_cron_expression_is_refused_with_the_field_to_use(self) -> None:
        assert "a cron expression, which is to be given as `cron_expr`" in refusal("0 9 * * 1-5")

    def test_an_unknown_zone_is_refused(self) -> None:
        with pytest.raises(InvalidSchedule) as caught:
            parse_instant("20m", now=NOW, timezone="Mars/Olympus")
        assert caught.value.field == "timezone"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("tomorrow 9:15am", "Wed 25 Nov 2026, 09:15 (Europe/Berlin), in 17 h 45 m"),
            ("1am", "in 9 h 30 m (01:00 has passed today, so tomorrow)"),
            ("tuesday at 9", "in 6 d 17 h (09:00 has passed today, so next week)"),
            ("24 nov at 9", "in 364 d 17 h (09:00 has passed this year, so the next)"),
            ("tonight at 1", "Wed 25 Nov 2026, 01:00 (Europe/Berlin), in 9 h 30 m"),
        ],
    )
    def test_the_echo_says_what_was_understood(self, text: str, words: str) -> None:
        echo = read_instant(text, now=NOW, timezone="Europe/Berlin").understood_as
        assert echo.endswith(words)


class TestSchedules:
    @pytest.mark.parametrize(
        ("text", "expr"),
        [
            ("every weekday at 9am", "0 9 * * 1-5"),
            ("every monday to friday at 9", "0 9 * * 1-5"),
            ("weekdays at 9", "0 9 * * 1-5"),
            ("at 9 on weekdays", "0 9 * * 1-5"),
            ("every weekend at 10", "0 10 * * 0,6"),
            ("every monday and thursday at 18:30", "30 18 * * 1,4"),
            ("every mon, wed, and fri at 8", "0 8 * * 1,3,5"),
            ("every friday to monday at 8", "0 8 * * 0,1,5,6"),
            ("mondays and sundays at 9", "0 9 * * 0,1"),
            ("every day at 7", "0 7 * * *"),
            ("daily at 9:15am", "15 9 * * *"),
            ("9am daily", "0 9 * * *"),
            ("every day at 9, 12 and 17", "0 9,12,17 * * *"),
            ("every day at 9am and 5pm", "0 9,17 * * *"),
            ("every day at 9:00 and 9:30", "0,30 9 * * *"),
            ("every day at 9:00:30", "30 0 9 * * *"),
            ("every morning at 7", "0 7 * * *"),
            ("every night at 11", "0 23 * * *"),
            ("nightly at 2", "0 2 * * *"),
            ("every friday night at 11", "0 23 * * 5"),
            ("hourly", "0 * * * *"),
            ("every hour at :15", "15 * * * *"),
            ("hourly at :15 and :45", "15,45 * * * *"),
            ("on the 1st of every month at 6am", "0 6 1 * *"),
            ("on the 1st and 15th of each month at 6am", "0 6 1,15 * *"),
            ("every 1st of the month at 6am", "0 6 1 * *"),
            ("monthly on the 15th at 9", "0 9 15 * *"),
            ("every month on the last day at 18:00", "0 18 L * *"),
            ("on the last weekday of every month at noon", "0 12 LW * *"),
            ("every last friday of the month at 5pm", "0 17 * * 5L"),
            ("on the first monday of every month at 9", "0 9 * * 1#1"),
            ("every 2nd sunday of the month at 9", "0 9 * * 0#2"),
            ("every december 24 at 9am", "0 9 24 12 *"),
            ("yearly on the 1st of may at 9", "0 9 1 5 *"),
            ("0 9 * * 1-5", "0 9 * * 1-5"),
            ("0 9 1 1 MON", "0 9 1 1 MON"),
            ("*/10 * * * * *", "*/10 * * * * *"),
            ("@daily", "@daily"),
        ],
    )
    def test_a_rhythm_becomes_a_cron_expression(self, text: str, expr: str) -> None:
        phrase = parse_schedule(text, now=NOW, timezone="Europe/Berlin")
        assert phrase.schedule == make_cron(expr, "Europe/Berlin")
        assert phrase.understood_as == phrase.schedule.describe()

    @pytest.mark.parametrize(
        ("text", "every", "words"),
        [
            ("every 2s", timedelta(seconds=2), "every 2 seconds"),
            ("every 30 minutes", timedelta(minutes=30), "every 30 minutes"),
            ("every hour", timedelta(hours=1), "every hour"),
            ("every 2 days", timedelta(days=2), "every 2 days"),
            ("every half an hour", timedelta(minutes=30), "every 30 minutes"),
        ],
    )
    def test_a_length_of_time_becomes_an_interval_from_now(
        self, text: str, every: timedelta, words: str
    ) -> None:
        phrase = parse_schedule(text, now=NOW, timezone="UTC")
        assert phrase.schedule == IntervalSchedule(every, NOW.astimezone(UTC))
        assert phrase.understood_as == words

    def test_an_instant_becomes_a_one_shot(self) -> None:
        phrase = parse_schedule("tomorrow 9am", now=NOW, timezone="Europe/Berlin")
        assert phrase.schedule == OneShotSchedule(datetime(2026, 11, 25, 8, tzinfo=UTC))
        assert phrase.understood_as == (
            "once, on Wed 25 Nov 2026, 09:00 (Europe/Berlin), in 17 h 30 m"
        )

    def test_what_a_person_may_not_expect_is_said(self) -> None:
        phrase = parse_schedule("monthly on the 31st at 9", now=NOW, timezone="UTC")
        assert phrase.understood_as.endswith("(only in months that have a day 31)")
        phrase = parse_schedule("every 29 feb at 9", now=NOW, timezone="UTC")
        assert phrase.understood_as.endswith("(only in leap years)")
        phrase = parse_schedule("9am", now=NOW, timezone="Europe/Berlin")
        assert phrase.understood_as.endswith("(09:00 has passed today, so tomorrow)")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "got nothing"),
            ("every day", "this needs a time of day"),
            ("every monday", "this needs a time of day"),
            ("every 0 minutes", "from 1 second to 3650 days"),
            ("every 1e15d", "not understood"),
            ("every day at 25:00", "a time of day is from 00:00 to 23:59"),
            ("every friday night at 1", "on the day after"),
            ("every morning at 3pm", "15:00 is not in the morning"),
            ("every hour at :60", "a minute is from :00 to :59"),
            ("on the 32nd of every month at 9", "from the 1st to the 31st"),
            ("every 30 february at 9", "that month has no such day"),
            ("every second monday at 9", "two readings"),
            ("on the 1st at 9", "once or every month"),
            ("every weekday at 9am except holidays", "not understood"),
            ("do not run every day at 9", "not understood"),
            ("never", "not understood"),
        ],
    )
    def test_anything_else_is_refused_with_examples(self, text: str, reason: str) -> None:
        with pytest.raises(InvalidPhrase, match=reason) as caught:
            parse_schedule(text, now=NOW, timezone="UTC")
        assert "'every weekday at 9am'" in caught.value.message
        assert caught.value.field == "schedule"

    @pytest.mark.parametrize("text", ["0 0 30 2 *", "61 * * * *", "* * *", "@reboot", "@sometimes"])
    def test_a_bad_cron_expression_is_refused_as_such(self, text: str) -> None:
        with pytest.raises(InvalidSchedule) as caught:
            parse_schedule(text, now=NOW, timezone="UTC")
        assert caught.value.field == "cron_expr"


WORDS = """
every each in at on the of and , - : now today tomorrow tonight next monday mondays weekday
weekdays night morning 1st 31st last first day month hour hours minutes m h s d half an 1 7 12 30
99 9:15 25:00 :15 :75 am pm noon midnight december feb 2027 2027-02-30 0.5 * */5 @daily from
hourly daily nightly monthly yearly to through 1767225600 1e15 not
"""
PHRASES = st.one_of(
    st.lists(st.sampled_from(WORDS.split()), max_size=9).map(" ".join), st.text(max_size=250)
)


class TestAnyText:
    @given(PHRASES)
    @example("9" * 200)
    @example("\ud800")
    def test_any_text_is_understood_or_refused(self, text: str) -> None:
        for parse in (parse_instant, parse_schedule, read_instant):
            try:
                parse(text, now=NOW, timezone="America/Havana")
            except InvalidInput as error:
                refused = error
            else:
                continue
            assert refused.field
            assert "expected" in refused.message or "@reboot" in refused.message

    @given(PHRASES)
    def test_any_text_is_a_length_of_time_or_refused(self, text: str) -> None:
        try:
            length = parse_duration(text)
        except InvalidPhrase:
            return
        assert length >= timedelta(seconds=1)

    @given(PHRASES)
    def test_a_schedule_from_any_text_has_a_future_unless_it_is_a_past_instant(
        self, text: str
    ) -> None:
        try:
            schedule = parse_schedule(text, now=NOW, timezone="Australia/Lord_Howe").schedule
        except InvalidInput:
            return
        if not isinstance(schedule, OneShotSchedule):
            assert schedule.next_after(NOW) is not None


class TestWording:
    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "1 minute 30 seconds"),
            (5400, "1 hour 30 minutes"),
            (86_400, "1 day"),
            (2 * 86_400 + 1, "2 days 1 second"),
        ],
    )
    def test_a_length_of_time_in_words(self, seconds: int, words: str) -> None:
        assert describe_duration(timedelta(seconds=seconds)) == words

    @pytest.mark.parametrize(
        ("ahead", "words"),
        [
            (timedelta(0), "Tue 24 Nov 2026, 15:30 (Europe/Berlin), now"),
            (timedelta(hours=7, minutes=12), "Tue 24 Nov 2026, 22:42 (Europe/Berlin), in 7 h 12 m"),
            (timedelta(seconds=45), "Tue 24 Nov 2026, 15:30:45 (Europe/Berlin), in 45 s"),
            (timedelta(minutes=-3), "Tue 24 Nov 2026, 15:27 (Europe/Berlin), 3 m ago"),
        ],
    )
    def test_an_instant_in_words(self, ahead: timedelta, words: str) -> None:
        instant = (NOW + ahead).astimezone(UTC)
        assert describe_instant(instant, timezone="Europe/Berlin", now=NOW) == words

    def test_the_two_readings_of_a_repeated_hour_are_told_apart(self) -> None:
        first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        said = [
            describe_instant(instant, timezone="Europe/Berlin", now=first)
            for instant in (first, first + timedelta(hours=1))
        ]
        assert said == [
            "Sun 25 Oct 2026, 02:30 (Europe/Berlin, +02:00), now",
            "Sun 25 Oct 2026, 02:30 (Europe/Berlin, +01:00), in 1 h",
        ]


def test_a_phrase_gives_a_cron_schedule_in_the_given_zone() -> None:
    schedule = parse_schedule("every day at 9am", now=NOW, timezone="Asia/Kathmandu").schedule
    assert schedule == CronSchedule("0 9 * * *", "Asia/Kathmandu")


class TestLookingBack:
    """Times of the past, by the same words: the ledger's window, `ua explain`."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("now", "Tue 2026-11-24 15:30:00"),
            ("yesterday", "Mon 2026-11-23 00:00:00"),
            ("yesterday 9am", "Mon 2026-11-23 09:00:00"),
            ("1 hour ago", "Tue 2026-11-24 14:30:00"),
            ("20m ago", "Tue 2026-11-24 15:10:00"),
            ("3 days ago at 9am", "Sat 2026-11-21 09:00:00"),
            ("in 20m", "Tue 2026-11-24 15:50:00"),
            ("9am", "Tue 2026-11-24 09:00:00"),
            ("20:00", "Tue 2026-11-24 20:00:00"),
            ("monday 9am", "Mon 2026-11-23 09:00:00"),
            ("tuesday 9am", "Tue 2026-11-24 09:00:00"),
            ("tuesday 8pm", "Tue 2026-11-17 20:00:00"),
            ("last friday at 9am", "Fri 2026-11-20 09:00:00"),
            ("dec 24 at 9", "Wed 2025-12-24 09:00:00"),
            ("tomorrow 9am", "Wed 2026-11-25 09:00:00"),
            ("last night at 11", "Mon 2026-11-23 23:00:00"),
        ],
    )
    def test_the_latest_instant_that_fits_is_meant(self, text: str, expected: str) -> None:
        instant = parse_instant(text, now=NOW.astimezone(UTC), timezone="Europe/Berlin", past=True)
        assert instant.astimezone(BERLIN).strftime("%a %Y-%m-%d %H:%M:%S") == expected

    def test_a_length_of_time_alone_has_two_readings(self) -> None:
        with pytest.raises(InvalidPhrase, match="'20m ago' or 'in 20m'"):
            parse_instant("20m", now=NOW, timezone="UTC", past=True)


@pytest.mark.parametrize(
    ("in_words", "in_figures"),
    [
        ("every third day at 8am", "every 3rd day at 8am"),
        ("each fourth day 8am", "every 4th day at 8am"),
        ("every second week on monday at 9", "every 2 weeks on monday at 9"),
        ("every second day at 9", "every 2nd day at 9"),
        ("every second hour", "every 2 hours"),
        ("every third week on monday at 9", "every 3rd week on monday at 9"),
        ("every third month on the 1st at 9", "every 3rd month on the 1st at 9"),
        ("every third day of the month at 9am", "every 3rd day of the month at 9am"),
    ],
)
def test_an_ordinal_in_words_means_what_it_means_in_figures(in_words: str, in_figures: str) -> None:
    said, written = (
        parse_schedule(text, now=NOW, timezone="Europe/Berlin") for text in (in_words, in_figures)
    )
    assert said.schedule == written.schedule


@pytest.mark.parametrize(
    "text",
    [
        "twice a day",
        "three times a day",
        "three times a day at 9am and 5pm",
        "12 times a day",
        "twice a week",
        "3 times a week on monday",
        "twice a month",
        "every tuesday and thursday between 9 and 17",
        "every day between 8am and 8pm",
        "every day from monday at 9am",
        "every second tuesday at 9am",
        "every second tuesday",
        "biweekly on monday at 9am",
        "bimonthly at 9am",
    ],
)
def test_every_form_that_a_refusal_proposes_is_understood(text: str) -> None:
    with pytest.raises(InvalidPhrase) as caught:
        parse_schedule(text, now=NOW, timezone="Europe/Berlin")
    proposed = caught.value.message.split(";")[0]
    forms = re.findall(r"(?:as in|write|or) '([^']+)'", proposed)
    assert forms
    for form in forms:
        assert form != text
        parse_schedule(form, now=NOW, timezone="Europe/Berlin")

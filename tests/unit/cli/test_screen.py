"""How things look, on a terminal and elsewhere."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.text import Text

from universal_agent.cli.safe_text import clean, to_json
from universal_agent.cli.screen import Screen, length

#: Before midnight in New York, after it in Berlin.
NOW = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(width: int = 80) -> tuple[Screen, Terminal]:
    file = Terminal()
    return Screen(file, now=NOW, width=width), file


@pytest.fixture
def plain() -> Screen:
    """A screen that is no terminal."""
    return Screen(io.StringIO(), now=NOW)


@pytest.mark.parametrize(
    ("at", "zone", "shown"),
    [
        (NOW.timestamp(), "UTC", "23:30:00 UTC"),
        (NOW.timestamp(), "Europe/Berlin", "01:30:00 CEST"),
        ("2026-07-02T21:00:00+00:00", "Europe/Berlin", "23:00:00 CEST"),
        ("2026-07-01T21:00:00+00:00", "Europe/Berlin", "Wed 01 Jul 23:00:00 CEST"),
        ("2027-01-01T12:00:00+00:00", "Asia/Tokyo", "Fri 01 Jan 2027 21:00:00 JST"),
        (None, "UTC", "-"),
    ],
)
def test_a_terminal_shows_local_time_and_the_date_where_it_is_not_today(
    at: float | str | None, zone: str, shown: str
) -> None:
    assert terminal()[0].when(at, zone).plain == shown


def test_elsewhere_an_instant_is_iso_8601_with_its_offset(plain: Screen) -> None:
    assert plain.when(NOW.timestamp(), "Europe/Berlin").plain == "2026-07-02T01:30:00+02:00"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3_661, "1h 1m"), (90_061, "1d 1h"), (86_401, "1d 1s")],
)
def test_a_length_of_time_has_two_units_at_most(seconds: int, text: str) -> None:
    assert length(timedelta(seconds=seconds)) == text


def test_how_far_off_something_is_says_in_which_direction() -> None:
    screen, _ = terminal()
    assert screen.away(NOW.timestamp() + 90).plain == "in 1m 30s"
    assert screen.away(NOW.timestamp() - 7200).plain == "2h ago"


def test_a_status_is_told_by_a_glyph_and_a_word_on_a_terminal_and_by_the_word_elsewhere(
    plain: Screen,
) -> None:
    assert terminal()[0].status("success").plain == "✓ success"
    assert terminal()[0].status("something new").plain == "· something new"
    assert plain.status("success").plain == "success"


def test_an_id_is_short_on_a_terminal_and_whole_elsewhere(plain: Screen) -> None:
    assert terminal()[0].id("job_0123456789abcdef").plain == "89abcdef"
    assert plain.id("job_0123456789abcdef").plain == "job_0123456789abcdef"


def test_a_table_elsewhere_is_one_line_for_each_row_with_nothing_cut() -> None:
    file = io.StringIO()
    screen = Screen(file, now=NOW)
    table = screen.table("A", "B", wide=("B",))
    table.add_row(screen.text("first"), screen.cell("long " * 200))
    table.add_row(screen.text("1"), screen.cell("[bold]not markup[/bold] :smile:"))
    screen.print(table)
    heads, long, short = file.getvalue().splitlines()
    assert heads == "A      B"
    assert long == "first  " + ("long " * 200).rstrip()
    assert short == "1      [bold]not markup[/bold] :smile:"


def test_a_wide_column_is_cut_where_the_terminal_is_narrow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen, file = terminal(width=20)
    table = screen.table("ID", "TITLE", wide=("TITLE",))
    table.add_row(Text("12345678"), screen.cell("a title that is far too long"))
    screen.print(table)
    assert file.getvalue().splitlines()[1] == "12345678  a title t…"


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_left_out_when_they_are_not_wanted(
    no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", no_color)
    screen, file = terminal()
    screen.print(screen.status("error"))
    assert ("\x1b[31m" in file.getvalue()) is coloured
    assert "✗ error" in file.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ✓ ü\tand\nlines", "plain ✓ ü\tand\nlines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;never ends", ""),
        ("over\rwritten\x08", "overwritten"),
        ("\x9b31mC1", "31mC1"),
        ("gnp.\u202etxt", "gnp.txt"),
        ("\x1bc reset", " reset"),
    ],
)
def test_text_from_outside_cannot_act_on_the_terminal(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_json_keeps_everything_and_escapes_what_could_act_on_the_terminal() -> None:
    import json

    document = {"title": "ü \x1b[31m \x9b \u202e \n"}
    text = to_json(document)
    assert text == '{"title": "ü \\u001b[31m \\u009b \\u202e \\n"}'
    assert json.loads(text) == document


def test_a_command_of_many_lines_keeps_them_under_its_name(plain: Screen) -> None:
    plain.print(plain.facts([("command", plain.block("cd /srv\n  make\n")), ("next", Text("x"))]))
    assert plain._file.getvalue() == "command  cd /srv\n           make\nnext     x\n"  # type: ignore[attr-defined]

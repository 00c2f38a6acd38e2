"""Layout of answers: tables for people on a terminal, plain stable text elsewhere.

On a terminal: times in the job's zone with how far off they are, short ids, a glyph and a colour
for each status. Elsewhere: ISO 8601, whole ids, bare words, nothing cut off.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TextIO, TypeVar

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from universal_agent.cli.safe_text import clean

#: status -> (glyph, style). The glyph carries the meaning where there is no colour.
_STATUSES = {
    "ok": ("✓", "green"),
    "warn": ("!", "yellow"),
    "fail": ("✗", "bold red"),
    "success": ("✓", "green"),
    "error": ("✗", "red"),
    "timeout": ("◷", "red"),
    "stalled": ("◷", "red"),
    "cancelled": ("⊘", "yellow"),
    "skipped": ("↷", "dim"),
    "interrupted": ("↯", "bold red"),
    "missed": ("◌", "yellow"),
    "pending": ("◌", "yellow"),
    "queued": ("○", "blue"),
    "running": ("▶", "cyan"),
    "enabled": ("●", "green"),
    "failing": ("✗", "red"),
    "finished": ("✓", "dim"),
    "paused": ("‖", "yellow"),
    "auto_paused": ("‖", "bold red"),
    "disabled": ("○", "dim"),
    "deleted": ("✗", "dim"),
}

Piece = TypeVar("Piece", bound=RenderableType)

#: How much of an id is shown on a terminal: its random end.
_SHORT = 8


class Screen:
    """An output stream, and the layout for it."""

    def __init__(self, file: TextIO, *, now: datetime, width: int | None = None) -> None:
        self.now = now
        self.is_terminal = file.isatty()
        # Without a terminal nothing is cut or wrapped, so that a line is always one line.
        self._console = Console(
            file=file,
            width=width if self.is_terminal else 100_000,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self._file = file

    def print(self, renderable: RenderableType) -> None:
        """Print without trailing spaces."""
        with self._console.capture() as capture:
            self._console.print(renderable, soft_wrap=not isinstance(renderable, Table))
        lines = capture.get().splitlines()
        self._file.write("".join(line.rstrip() + "\n" for line in lines))
        self._file.flush()

    # -- pieces of an answer

    def terminal_only(self, *pieces: Piece) -> list[Piece]:
        """The pieces on a terminal, none elsewhere: text that changes from second to second."""
        return list(pieces) if self.is_terminal else []

    def table(self, *columns: str, wide: Sequence[str] = ()) -> Table:
        """An empty table; `wide` columns are cut where the terminal is too narrow for all."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
        for column in columns:
            table.add_column(column, no_wrap=column not in wide)
        return table

    def facts(self, facts: Sequence[tuple[str, RenderableType | None]]) -> Table:
        """Names and values, one line each; without those that are None."""
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in facts:
            if value is not None:
                table.add_row(name, value)
        return table

    def text(self, text: object, style: str = "") -> Text:
        """Text from outside, without control sequences, in one line."""
        return Text(clean(str(text)).replace("\n", " "), style=style)

    def block(self, text: object, style: str = "") -> Text:
        """Text from outside, without control sequences, with its line breaks."""
        return Text(clean(str(text)).rstrip("\n"), style=style)

    def cell(self, text: object) -> Text:
        """Text from outside for a wide column: cut rather than wrapped."""
        piece = self.text(text)
        piece.no_wrap, piece.overflow = True, "ellipsis"
        return piece

    def status(self, status: str, *, width: int = 0) -> Text:
        """A status as a glyph and a word, filled up to `width`."""
        glyph, style = _STATUSES.get(status, ("·", ""))
        word = f"{glyph} {status}" if self.is_terminal else status
        return Text(word.ljust(width), style=style)

    def id(self, whole: str) -> Text:
        """An id; what is shown of it can be given to a command."""
        return Text(whole[-_SHORT:] if self.is_terminal else whole, style="cyan")

    def when(self, at: float | str | None, timezone: str = "UTC") -> Text:
        """An instant, in epoch seconds or ISO 8601, as local time of `timezone`; "-" for None."""
        from universal_agent.domain.local_time import shown_in

        if at is None:
            return Text("-", style="dim")
        instant = instant_of(at)
        local = shown_in(instant, timezone)
        if not self.is_terminal:
            return Text(local.isoformat(timespec="seconds"))
        today = self.now.astimezone(local.tzinfo)
        if local.date() == today.date():
            return Text(local.strftime("%H:%M:%S %Z"))
        year = "" if local.year == today.year else " %Y"
        return Text(local.strftime(f"%a %d %b{year} %H:%M:%S %Z"))

    def away(self, at: float | str | None) -> Text:
        """The distance to an instant: "in 7h 12m", "3m ago"."""
        if at is None:
            return Text("")
        ahead = instant_of(at) - self.now
        span = length(abs(ahead))
        return Text(f"in {span}" if ahead > timedelta() else f"{span} ago", style="dim")


def instant_of(at: float | str) -> datetime:
    """The instant that a document names, in epoch seconds or ISO 8601."""
    return datetime.fromisoformat(at) if isinstance(at, str) else datetime.fromtimestamp(at, UTC)


def length(span: timedelta) -> str:
    """A length of time in short: "2h 5m", "40s"; no more than two units."""
    seconds = round(span.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2]) or "0s"

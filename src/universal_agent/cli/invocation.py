"""One call of `ua`: its options, the gateway, the screen.

Everything heavy is imported when it is first needed, so that a command pays for what it uses.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from universal_agent.cli.command import Provided
from universal_agent.cli.safe_text import to_json
from universal_agent.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from universal_agent.cli.client import Gateway
    from universal_agent.cli.offline import OfflineTransport
    from universal_agent.cli.screen import Screen
    from universal_agent.settings import Settings

#: A JSON document of the gateway.
Document = dict[str, Any]

_PANEL = "Options of every command"


class Invocation:
    """One call of `ua`."""

    def __init__(
        self,
        *,
        json: bool = False,
        url: str | None = None,
        ops_token: str | None = None,
        data_dir: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.json = json
        self.clock: Clock = clock or SystemClock()
        #: The directory that was named, if one was.
        self.data_dir = data_dir
        self._url = url
        self._overrides = {
            name: value
            for name, value in {"ops_token": ops_token, "data_dir": data_dir}.items()
            if value is not None
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("gateway", "reader"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def load_settings(self, *, with_token_file: bool = True, **overrides: Any) -> "Settings":
        """The settings in force: options over environment. Raises SettingsError."""
        from universal_agent.settings import load_settings

        given: dict[str, Any] = {**self._overrides, **overrides}
        return load_settings(with_token_file=with_token_file, **given)

    @cached_property
    def settings(self) -> "Settings":
        """The settings in force. Raises SettingsError."""
        return self.load_settings()

    @cached_property
    def gateway(self) -> "Gateway":
        """The gateway, for commands that need it up."""
        return self.find_gateway()

    def find_gateway(self, *, own: bool = False) -> "Gateway":
        """A client of the gateway as it can be found now.

        With `own`, a gateway that is not named by an option or setting must have the data
        directory, also where that does not exist yet.
        """
        from universal_agent.cli.client import Gateway, address_of, why_down

        settings = self.settings
        if self._url is not None:
            # A gateway that was named is the one that is meant.
            return Gateway(
                self._url, token=settings.ops_token, data_dir=self._token_of_file_is_for()
            )
        return Gateway(
            address_of(settings),
            token=settings.ops_token,
            data_dir=self._token_is_for(),
            down=why_down(settings, own=own),
        )

    @cached_property
    def reader(self) -> "Gateway":
        """The gateway for commands that only read: while it is down, they read its data instead."""
        from universal_agent.cli.client import Gateway, address_of, why_down

        if self._url is not None:
            # --url takes precedence over the data directory, wherever the data are.
            return self.gateway
        settings = self.settings
        return Gateway(
            address_of(settings),
            token=settings.ops_token,
            data_dir=self._token_is_for(),
            offline=self._read_directly,
            down=why_down(settings),
        )

    def _token_of_file_is_for(self) -> Path | None:
        """The data directory that the token was read from, if a gateway has run there.

        None for a token that was given: it is meant for the gateway that was named.
        """
        from universal_agent.engine.instance import read_key

        settings = self.settings
        is_of_file = settings.source("ops_token") == "default" and bool(settings.ops_token)
        return settings.data_dir if is_of_file and read_key(settings.data_dir) else None

    def _token_is_for(self) -> Path | None:
        """The data directory whose gateway is the only one to get the token.

        None for a token that was given without one: no gateway has ever run here.
        """
        from universal_agent.engine.instance import read_key

        settings = self.settings
        is_of_file = settings.source("ops_token") == "default"
        return settings.data_dir if is_of_file or read_key(settings.data_dir) else None

    def _read_directly(self) -> "OfflineTransport":
        from universal_agent.cli.offline import OfflineTransport

        transport = OfflineTransport(self.settings)
        self.note(f"gateway is down; reading {self.settings.data_dir} directly")
        return transport

    @cached_property
    def screen(self) -> "Screen":
        """The layout of answers on standard output."""
        from universal_agent.cli.screen import Screen

        return Screen(sys.stdout, now=self.clock.now())

    @property
    def timezone(self) -> str:
        """The zone in which times without one are shown: UA_TIMEZONE, else the host's."""
        return self.settings.default_timezone

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show a spinner on a terminal while the block runs."""
        if not sys.stderr.isatty():
            yield
            return
        from rich.console import Console

        with Console(stderr=True, markup=False).status(f"{what} …"):
            yield

    def pause(self, seconds: float) -> None:
        """Sleep."""
        asyncio.run(self.clock.sleep(seconds))

    def show(
        self, document: Document, view: "Callable[[Screen, Document], RenderableType]"
    ) -> None:
        """Print a document: laid out by `view`, or with --json as it is."""
        if self.json:
            self.write(to_json(document, indent=2) + "\n")
        else:
            self.screen.print(view(self.screen, document))

    def show_line(self, document: Document) -> None:
        """Write a document as one line of JSON, for answers that continue."""
        self.write(to_json(document) + "\n")

    def write(self, text: str) -> None:
        """Write text to standard output and flush."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Write a note to standard error."""
        print(f"ua: {text}", file=sys.stderr)


def invocation(
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print the document itself.", rich_help_panel=_PANEL)
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="The gateway's address, when it is not the one in the settings.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    ops_token: Annotated[
        str | None,
        typer.Option(
            "--ops-token",
            metavar="TOKEN",
            help="Its token, when it is not UA_OPS_TOKEN or in the data directory.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            metavar="DIR",
            help="Its data directory, when it is not UA_DATA_DIR or .ua.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
) -> Invocation:
    """An invocation from the options that every command takes."""
    made = Invocation(json=json, url=url, ops_token=ops_token, data_dir=data_dir)
    if ops_token:
        made.note("other users can read --ops-token in the process list; prefer UA_OPS_TOKEN")
    return made


#: The type of a command's first parameter.
Ua = Annotated[Invocation, Provided(invocation)]

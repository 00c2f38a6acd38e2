"""The operator's token in force: the one from the start, or the one in the file now.

Without UA_OPS_TOKEN the file `ops_token` in the data directory is followed while the gateway runs,
so that a token is rotated without a restart. Nothing that happens to the file opens the gateway:
if it is missing, empty or unusable, the previous token stays in force.
"""

from collections.abc import Callable

import structlog

from universal_agent.clock import Clock
from universal_agent.errors import SettingsError
from universal_agent.masking import SECRETS
from universal_agent.settings import Settings, check_token, read_token_file
from universal_agent.threads import FILES

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0


class OperatorToken:
    """The token in force, and the listeners of its changes."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._listeners: list[Callable[[str], object]] = []
        #: Why the file that is there is not followed; None while it is.
        self._problem: str | None = None
        self.value = settings.ops_token

    @property
    def is_set(self) -> bool:
        """Whether requests need a token."""
        return bool(self.value)

    @property
    def is_followed(self) -> bool:
        """Whether the file decides: a token of the environment or the command line stays."""
        return self._settings.source("ops_token") == "default"

    def on_change(self, listener: Callable[[str], object]) -> None:
        """Call `listener` with each new token."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Follow the file."""
        while True:
            await self.look()
            await self._clock.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Apply the file's token."""
        try:
            token = await FILES.run(read_token_file, self._settings.data_dir)
            if token is None and self.is_set:
                raise SettingsError(f"{self._settings.data_dir / 'ops_token'} is gone")
            if token is not None:
                check_token(self._settings, token)
        except SettingsError as error:
            if error.message != self._problem:
                _log.error(
                    "token_kept",
                    error=f"{error.message}. The previous token stays in force.",
                )
            self._problem = error.message
            return
        self._problem = None
        if token is None or token == self.value:
            return
        SECRETS.hold([token])  # the previous one stays masked too
        self.value = token
        for listener in self._listeners:
            listener(token)
        _log.warning("token_changed")

"""Errors that this product raises on purpose, with their HTTP status.

    UniversalAgentError
    ├── InvalidInput                 400  a value that cannot be accepted; names its field
    │   ├── InvalidSchedule          400
    │   ├── WindowTooLarge           400
    │   └── InvalidPhrase            400
    ├── Unauthorized                 401
    ├── Forbidden                    403
    ├── NotFound                     404
    │   ├── JobNotFound              404
    │   ├── RunNotFound              404
    │   ├── SessionNotFound          404
    │   └── SlotNotFound             404
    ├── Conflict                     409
    │   ├── StaleVersion             409
    │   └── AlreadyResolved          409
    ├── TooLarge                     413
    ├── UpgradeRequired              426
    ├── LimitReached                 429
    ├── Unavailable                  503  answers carry Retry-After
    │   ├── StoreUnavailable         503
    │   └── EngineOff                503
    └── StartupError                 -    the gateway does not start; never crosses HTTP
        ├── SettingsError
        ├── DataDirLocked
        ├── StoreCorrupt
        └── DataMissing

A class's docstring is its default sentence. A message says what was expected and what came.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class UniversalAgentError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        message: str | None = None,
        *,
        field: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.field = field
        #: Further members of the problem document, for programs.
        self.details = dict(details or {})
        super().__init__(self.message)

    @property
    def slug(self) -> str:
        """The last part of the problem `type`: the class name in kebab case."""
        name = type(self).__name__
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


class InvalidInput(UniversalAgentError):
    """A value cannot be accepted."""

    status = 400
    title = "Bad value"


class InvalidSchedule(InvalidInput):
    """The schedule cannot be accepted."""

    title = "Bad schedule"


class WindowTooLarge(InvalidInput):
    """The answer for this window would be too large."""

    title = "Window too large"


class InvalidPhrase(InvalidInput):
    """The phrase was not understood."""

    title = "Phrase not understood"


class Unauthorized(UniversalAgentError):
    """This needs the operator's token."""

    status = 401
    title = "Token needed"


class Forbidden(UniversalAgentError):
    """This is not allowed from here."""

    status = 403
    title = "Not allowed"


class NotFound(UniversalAgentError):
    """No such thing."""

    status = 404
    title = "Not found"


class JobNotFound(NotFound):
    """There is no such job."""

    title = "Job not found"


class RunNotFound(NotFound):
    """There is no such run."""

    title = "Run not found"


class SessionNotFound(NotFound):
    """There is no such session."""

    title = "Session not found"


class SlotNotFound(NotFound):
    """There is no such slot."""

    title = "Slot not found"


class ResourceNotDown(NotFound):
    """The resource is in no cooldown."""

    title = "Resource not down"


class Conflict(UniversalAgentError):
    """The state changed meanwhile."""

    status = 409
    title = "Conflict"


class StaleVersion(Conflict):
    """The job changed since it was read; read it again."""

    title = "Stale version"


class AlreadyResolved(Conflict):
    """Somebody has already decided this."""

    title = "Already resolved"


class TooLarge(UniversalAgentError):
    """The request is too large."""

    status = 413
    title = "Too large"


class UpgradeRequired(UniversalAgentError):
    """This address is a WebSocket."""

    status = 426
    title = "Upgrade required"


class LimitReached(UniversalAgentError):
    """A limit is reached."""

    status = 429
    title = "Limit reached"


class Unavailable(UniversalAgentError):
    """The service cannot answer right now."""

    status = 503
    title = "Unavailable"


class StoreUnavailable(Unavailable):
    """The store cannot take writes right now; nothing was changed."""

    title = "Store unavailable"


class EngineOff(Unavailable):
    """The service is switched off."""

    title = "Switched off"


class StartupError(UniversalAgentError):
    """The gateway cannot start."""

    title = "Cannot start"


class SettingsError(StartupError):
    """A setting has a bad value."""


class DataDirLocked(StartupError):
    """Another process uses this data directory."""


class StoreCorrupt(StartupError):
    """The database cannot be read."""


class DataMissing(StartupError):
    """What was acknowledged is not in the data directory."""

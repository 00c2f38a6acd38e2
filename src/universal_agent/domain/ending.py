"""The classes of how runs end.

A run that failed because a service was away or refused is classified apart from a failure of the
work: it says nothing about the job.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EndClass(StrEnum):
    """Why a run failed; the values are the wire's."""

    #: The service asks for fewer calls.
    RATE_LIMITED = "rate_limited"
    #: The account's quota or credit is used up.
    QUOTA = "quota"
    #: The service could not be reached, or says that it cannot serve.
    UNREACHABLE = "unreachable"
    #: The service refuses the account or its key (401, 402, 403).
    REFUSED = "refused"
    #: The work itself failed.
    FAILED = "failed"

    @property
    def is_outage(self) -> bool:
        """Whether the cause lies with a service that the job uses, not with the job."""
        return self is not EndClass.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run failed, as its runner classifies it."""

    kind: EndClass
    #: The service said that no call is useful before this time.
    until: datetime | None = None
    #: The resource that it is about; None: the first that the job uses.
    resource: str | None = None


#: A failure of the work itself.
FAILED = Ending(kind=EndClass.FAILED)

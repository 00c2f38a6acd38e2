"""What a process remembers of a database: decoded specs, rows set aside, zone rules on record."""

from dataclasses import dataclass, field

from universal_agent.store.set_aside import SetAside
from universal_agent.store.spec_cache import SpecCache


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory that all transactions on one database share.

    It holds committed facts and pure functions of stored text: a verb adds to it in `after_commit`.
    """

    set_aside: SetAside = field(default_factory=SetAside)
    specs: SpecCache = field(default_factory=SpecCache)
    #: Fingerprints of the time zone rules that are on record.
    kept_rules: set[str] = field(default_factory=set)

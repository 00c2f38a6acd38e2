"""What is wrong with the gateway itself, in words for people."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from universal_agent.domain.notifications import Kind
from universal_agent.engine.disk import DiskWatch
from universal_agent.engine.health import Health
from universal_agent.engine.supervisor import Supervisor
from universal_agent.store.store import Store


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong with the gateway right now."""

    kind: Kind
    message: str


class Troubles:
    """The troubles of the gateway."""

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        health: Health,
        disk: DiskWatch,
        unaccounted: Callable[[], Sequence[str]],
    ) -> None:
        """`unaccounted` returns the slots of the last minutes that have no outcome."""
        self.disk = disk
        self._store = store
        self._supervisor = supervisor
        self._health = health
        self._unaccounted = unaccounted

    def current(self) -> Mapping[str, Trouble]:
        """What is wrong now, each under a name that stays the same while it lasts."""
        self.disk.look()
        found = {
            f"loop {name}": Trouble(
                Kind.LOOP_DOWN, f"The {name} loop fails again and again: {reason}."
            )
            for name, reason in self._supervisor.broken().items()
        }
        if (alarm := self._health.loop_alarm()) is not None:
            found["event loop"] = loop_stalled(alarm)
        if (error := self._store.last_error) is not None:
            found["store"] = Trouble(
                Kind.STORE_UNAVAILABLE, f"The database cannot take writes: {error}."
            )
        if (lack := self.disk.lack) is not None:
            found["disk"] = Trouble(Kind.DISK_FULL, lack)
        if unreadable := self._store.set_aside:
            name, reason = next(iter(unreadable.items()))
            found["rows"] = Trouble(
                Kind.ROW_UNREADABLE,
                f"{len(unreadable)} stored rows were left out, because they cannot be read; the "
                f"first: {name} ({reason}). The log names all of them (row_unreadable). What they "
                "were about does not run until they are put right.",
            )
        if unaccounted := self._unaccounted():
            named = ", ".join(unaccounted[:3])
            found["ledger"] = Trouble(
                Kind.SLOTS_UNACCOUNTED,
                f"{len(unaccounted)} of the last minutes' slots have no outcome: {named}. "
                "`ua ledger` lists them.",
            )
        return found


def loop_stalled(reason: str) -> Trouble:
    """The event loop stands still."""
    return Trouble(Kind.LOOP_DOWN, f"{reason}.".capitalize())

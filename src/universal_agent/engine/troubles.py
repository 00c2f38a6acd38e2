"""What is wrong with the gateway itself."""

from collections.abc import Sequence

from universal_agent.domain.notifications import Kind
from universal_agent.engine.alarms import Trouble
from universal_agent.engine.supervisor import Supervisor
from universal_agent.engine.watchdog import Watchdog
from universal_agent.store.store import Store


def troubles_of(
    store: Store, supervisor: Supervisor, watchdog: Watchdog, unaccounted: Sequence[str]
) -> dict[str, Trouble]:
    """What people are to be told, each under a name that stays the same while it lasts.

    `unaccounted`: the slots of the last minutes that have no outcome.
    """
    found = {
        f"loop {name}": Trouble(Kind.LOOP_DOWN, f"The {name} loop fails again and again: {reason}.")
        for name, reason in supervisor.broken().items()
    }
    if watchdog.alarm is not None:
        found["event loop"] = Trouble(Kind.LOOP_DOWN, f"{watchdog.alarm}.".capitalize())
    if (error := store.last_error) is not None:
        found["store"] = Trouble(
            Kind.STORE_UNAVAILABLE, f"The database cannot take writes: {error}."
        )
    if unreadable := store.set_aside:
        name, reason = next(iter(unreadable.items()))
        found["rows"] = Trouble(
            Kind.ROW_UNREADABLE,
            f"{len(unreadable)} stored rows were left out, because they cannot be read; the "
            f"first: {name} ({reason}). The log names all of them (row_unreadable). What they "
            "were about does not run until they are put right.",
        )
    if unaccounted:
        named = ", ".join(unaccounted[:3])
        found["ledger"] = Trouble(
            Kind.SLOTS_UNACCOUNTED,
            f"{len(unaccounted)} of the last minutes' slots have no outcome: {named}. "
            "`ua ledger` lists them.",
        )
    return found

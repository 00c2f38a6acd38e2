"""Overrides of flags, kept in the meta table; each change has its event."""

from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.flags import FlagOverride
from universal_agent.domain.slot import from_epoch
from universal_agent.store.encoding import from_json, to_json
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.tx import Row, Tx

_PREFIX = "flag:"


def flag_overrides(tx: Tx) -> list[FlagOverride]:
    """The flags that were overridden at run time."""
    return decoded(tx, "meta", tx.all("meta_with_prefix", prefix=_PREFIX), _from_row)


def _from_row(row: Row) -> FlagOverride:
    name, value = row
    record = from_json(value)
    return FlagOverride(
        name=name.removeprefix(_PREFIX),
        value=record["value"],
        covered=record["covered"],
        changed_at=from_epoch(record["changed_at"]),
        changed_by=record["changed_by"],
    )


def set_flag(
    tx: Tx, name: str, override: FlagOverride | None, *, value: bool, by: str, now: datetime
) -> None:
    """Set or remove an override; `value` is the flag's value from now on."""
    if override is None:
        tx.run("drop_meta", name=_PREFIX + name)
    else:
        record = {
            "value": override.value,
            "covered": override.covered,
            "changed_at": override.changed_at.timestamp(),
            "changed_by": override.changed_by,
        }
        tx.run("set_meta", name=_PREFIX + name, value=to_json(record))
    tx.append(events.flag_changed(name, value=value, override=override is not None, by=by, now=now))

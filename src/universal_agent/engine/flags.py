"""The staged rollout's flags: from the environment, overridden durably at run time.

An override takes effect immediately and is an event in the log. It remembers the environment's
value that it covered: if that differs at a start, the override is dropped, so that a rollback by
environment always works.
"""

from collections.abc import Mapping

from universal_agent.clock import Clock
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.flags import FLAGS, FlagOverride, FlagState
from universal_agent.errors import InvalidInput
from universal_agent.settings import Settings
from universal_agent.store import verbs
from universal_agent.store.store import Store


class Flags:
    """The flags in force."""

    event_types = (EventType.FLAG_CHANGED,)

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._overrides: dict[str, FlagOverride] = {}

    def __getitem__(self, name: str) -> bool:
        """The value of a flag by its environment name."""
        override = self._overrides.get(name)
        return self._from_environment(name) if override is None else override.value

    def _from_environment(self, name: str) -> bool:
        return bool(getattr(self._settings, FLAGS[name]))

    def notice(self, event: Event) -> None:
        """An override was set or taken back."""
        name, value, by = event.data["name"], event.data["value"], event.data["by"]
        if not event.data["override"]:
            self._overrides.pop(name, None)
        elif name in FLAGS:
            self._overrides[name] = FlagOverride(
                name=name,
                value=value,
                covered=self._from_environment(name),
                changed_at=event.timestamp,
                changed_by=by,
            )

    async def look(self) -> None:
        """Read the overrides that are stored, and drop those that the environment outdates."""
        overrides = [
            one for one in await self._store.read(verbs.flags.flag_overrides) if one.name in FLAGS
        ]
        self._overrides = {one.name: one for one in overrides}
        for override in overrides:
            if override.covered != self._from_environment(override.name):
                del self._overrides[override.name]
                await self._store.write(
                    verbs.flags.set_flag,
                    override.name,
                    None,
                    value=self._from_environment(override.name),
                    by="environment",
                    now=self._clock.now(),
                )

    def states(self) -> dict[str, FlagState]:
        """Every flag, by its environment name."""
        return {name: self._state(name) for name in FLAGS}

    def _state(self, name: str) -> FlagState:
        override = self._overrides.get(name)
        if override is None:
            return FlagState(
                value=self._from_environment(name), source=self._settings.source(FLAGS[name])
            )
        return FlagState(
            value=override.value,
            source="override",
            changed_at=override.changed_at,
            changed_by=override.changed_by,
        )

    async def change(self, values: Mapping[str, bool | None], *, by: str) -> dict[str, FlagState]:
        """Override flags; None takes an override back. Raises InvalidInput for an unknown name."""
        for name in values:
            if name not in FLAGS:
                raise InvalidInput(
                    f"expected one of {', '.join(FLAGS)}, got {name[:100]!r}", field=name[:100]
                )
        for name, value in values.items():
            now = self._clock.now()
            override = None
            if value is not None:
                override = FlagOverride(
                    name=name,
                    value=value,
                    covered=self._from_environment(name),
                    changed_at=now,
                    changed_by=by,
                )
            effective = self._from_environment(name) if value is None else value
            await self._store.write(
                verbs.flags.set_flag, name, override, value=effective, by=by, now=now
            )
            if override is None:
                self._overrides.pop(name, None)
            else:
                self._overrides[name] = override
        return self.states()

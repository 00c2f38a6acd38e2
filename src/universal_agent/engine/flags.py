"""The staged rollout's flags: from the environment, overridden durably at run time.

An override takes effect at once and is an event in the log. It remembers the environment's value
that it covered: when that differs at a start, the override is dropped, so that a rollback by
environment always works.
"""

from collections.abc import Callable, Mapping

from universal_agent.clock import Clock
from universal_agent.domain.flags import FLAGS, FlagOverride, FlagState
from universal_agent.errors import InvalidInput
from universal_agent.settings import Settings
from universal_agent.store import verbs
from universal_agent.store.store import Store


class Flags:
    """The flags in force."""

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._overrides: dict[str, FlagOverride] = {}
        self._listeners: list[Callable[[str, bool], None]] = []

    def on_change(self, listener: Callable[[str, bool], None]) -> None:
        """Call `listener(name, value)` after each change."""
        self._listeners.append(listener)

    def __getitem__(self, name: str) -> bool:
        """The value of a flag by its environment name."""
        override = self._overrides.get(name)
        return self._from_environment(name) if override is None else override.value

    def _from_environment(self, name: str) -> bool:
        return bool(getattr(self._settings, FLAGS[name]))

    async def load(self) -> None:
        """Take up the overrides of the last process, but for those the environment outdates."""
        for override in await self._store.read(verbs.flags.flag_overrides):
            if override.name not in FLAGS:
                continue
            if override.covered == self._from_environment(override.name):
                self._overrides[override.name] = override
            else:
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
            for listener in self._listeners:
                listener(name, effective)
        return self.states()

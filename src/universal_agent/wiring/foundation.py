"""What every part of the gateway stands on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from universal_agent.clock import Clock
from universal_agent.domain.process import Process
from universal_agent.engine.retention import Retention
from universal_agent.engine.supervisor import Supervisor
from universal_agent.engine.switches import Switches
from universal_agent.metrics import Metrics
from universal_agent.runners.base import Runner, load_runners
from universal_agent.runners.keepers import Keepers
from universal_agent.runners.mock import mocked
from universal_agent.settings import Settings
from universal_agent.store.checkpoint import Checkpoint
from universal_agent.store.store import Store

#: The runner of sessions' beats; no person's job may have it.
BEATS = "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """Settings, time, state, metrics, and the way out to processes."""

    settings: Settings
    clock: Clock
    store: Store
    metrics: Metrics
    runners: Mapping[str, Runner]
    #: What child processes run under; None where the system lacks what keepers need.
    keepers: Keepers | None
    #: This process, as it claims runs at first.
    process: Process
    switches: Switches
    supervisor: Supervisor
    checkpoint: Checkpoint
    #: Whether the clock can jump, so that jumps, stalls and lost slots are looked for.
    watched: bool

    @property
    def shortest_interval(self) -> timedelta:
        return timedelta(seconds=self.settings.min_interval_seconds)


def runners_of(settings: Settings, given: Mapping[str, Runner] | None = None) -> dict[str, Runner]:
    """The given runners or else those that are installed; mocked where the settings say so."""
    runners = dict(given) if given is not None else load_runners(settings)
    if settings.cron_mock_response:
        runners |= mocked(runners.keys() - {BEATS})
    return runners


def retention_of(base: Foundation) -> Retention:
    """What deletes old records."""
    settings = base.settings
    return Retention(
        base.store,
        base.checkpoint,
        base.clock,
        events_for=_days(settings.event_retention_days),
        run_logs_for=_days(settings.run_log_retention_days),
        run_logs_dir=settings.run_logs_dir,
        slot_states_dir=settings.slot_states_dir,
    )


def _days(count: int) -> timedelta | None:
    """How long something is kept; None: without a limit."""
    return timedelta(days=count) if count else None

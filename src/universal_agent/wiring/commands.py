"""What people may do: commands on jobs, heartbeats, missed slots, slots to come, and flags."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from universal_agent.domain.job import OnMiss
from universal_agent.domain.resources import origin_of
from universal_agent.engine.beats import Beats
from universal_agent.engine.changes import Changes
from universal_agent.engine.feed_tokens import FeedTokens
from universal_agent.engine.flags import Flags
from universal_agent.engine.heartbeats import Heartbeats
from universal_agent.engine.jobs import Jobs
from universal_agent.engine.rephrasing import PATIENCE_SECONDS, Rephraser
from universal_agent.engine.resources import Resources
from universal_agent.engine.slot_overrides import SlotOverrides
from universal_agent.engine.stasis import Stasis
from universal_agent.runners.chat import ChatEndpoint
from universal_agent.runners.heartbeat_settings import config_from
from universal_agent.runners.workspace_watch import WorkspaceWatch
from universal_agent.wiring.execution import Execution
from universal_agent.wiring.foundation import BEATS, Foundation


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The commands."""

    jobs: Jobs
    beats: Beats
    heartbeats: Heartbeats
    stasis: Stasis
    slot_overrides: SlotOverrides
    changes: Changes
    rephraser: Rephraser | None
    flags: Flags
    feed_tokens: FeedTokens


def build_commands(base: Foundation, execution: Execution, watch: WorkspaceWatch) -> Commands:
    """Build the commands; `watch` reports changed files of workspaces."""
    settings, store, clock = base.settings, base.store, base.clock
    parts = (store, clock, execution.scheduler, execution.run_ends)
    rules: dict[str, Any] = {
        "default_timezone": settings.default_timezone,
        "default_runner": "agent" if settings.has_agent else "shell",
        "default_on_miss": (
            None if settings.on_miss_default == "cadence" else OnMiss(settings.on_miss_default)
        ),
        "max_jobs": settings.max_jobs,
        "shortest_interval": base.shortest_interval,
        "workspaces_root": settings.workspaces_root,
    }
    others = {name: runner for name, runner in base.runners.items() if name != BEATS}
    jobs = Jobs(*parts, others, **rules)
    beats = Beats(
        *parts,
        base.runners,
        **rules,
        config=config_from(settings),
        on_miss=OnMiss.ASK if settings.on_miss_default == "ask" else OnMiss.NEXT_BEAT,
        system_events_max=settings.system_events_max,
    )
    slot_overrides = SlotOverrides(store, clock)
    rephraser = _rephraser(base, execution.resources)
    return Commands(
        jobs=jobs,
        beats=beats,
        heartbeats=Heartbeats(
            store,
            clock,
            beats,
            workspaces_root=settings.workspaces_root,
            watch=watch,
            shortest_interval=base.shortest_interval,
            enabled=settings.enable_heartbeat,
        ),
        stasis=Stasis(
            store,
            clock,
            beats,
            require=base.switches.require,
            off=base.switches.off,
            agent=execution.queue.agent,
        ),
        slot_overrides=slot_overrides,
        changes=Changes(
            store, clock, {one.source: one for one in (jobs, beats)}, slot_overrides, rephraser
        ),
        rephraser=rephraser,
        flags=Flags(store, clock, settings),
        feed_tokens=FeedTokens(store, clock),
    )


def _rephraser(base: Foundation, resources: Resources) -> Rephraser | None:
    """The helper that puts instructions into the grammar's words; None without an endpoint."""
    settings = base.settings
    if not settings.agent_base_url or settings.cron_mock_response:
        return None
    endpoint = ChatEndpoint(
        settings.agent_base_url,
        model=settings.agent_model,
        api_key=settings.agent_api_key,
        clock=base.clock,
        connect_seconds=PATIENCE_SECONDS,
        silence_seconds=PATIENCE_SECONDS,
    )
    own = origin_of(settings.agent_base_url)
    return Rephraser(endpoint, base.clock, is_down=partial(resources.is_down, own))

"""What people may ask: the views, with the projection and the event feed they read from."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from universal_agent.engine.flags import Flags
from universal_agent.engine.health import Health
from universal_agent.store.store import sqlite_store
from universal_agent.threads import Pool
from universal_agent.views.calendar import CalendarView
from universal_agent.views.calendar_provider import InternalCalendar
from universal_agent.views.cron import CronView
from universal_agent.views.event_feed import EventFeed
from universal_agent.views.feed_cache import FeedCache
from universal_agent.views.heartbeats import HeartbeatView
from universal_agent.views.ics import IcsView
from universal_agent.views.ledger import LedgerView
from universal_agent.views.ledger_watch import LedgerWatch
from universal_agent.views.notifications import NotificationView
from universal_agent.views.projection import Projector
from universal_agent.views.run_logs import RunLogs
from universal_agent.views.scheduling_metrics import SchedulingMetrics
from universal_agent.views.sessions import SessionView
from universal_agent.views.stasis import StasisView
from universal_agent.wiring.commands import Commands
from universal_agent.wiring.execution import Execution
from universal_agent.wiring.foundation import Foundation

_PROJECTION = "UA_SCHED_EVENT_PROJECTION_ENABLED"
_SHADOW = "UA_SCHED_PROJECTION_SHADOW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The views."""

    event_feed: EventFeed
    projector: Projector
    calendar: CalendarView
    ics: IcsView
    cron: CronView
    ledger: LedgerView
    stasis_view: StasisView
    ledger_watch: LedgerWatch
    run_logs: RunLogs
    notifications: NotificationView
    session_view: SessionView
    heartbeat_view: HeartbeatView
    scheduling_metrics: SchedulingMetrics


class _ProjectionFlags:
    """The flags that decide whether the projection is kept, read and compared."""

    def __init__(self, flags: Flags) -> None:
        self._flags = flags

    def is_read(self) -> bool:
        return self._flags[_PROJECTION]

    def is_compared(self) -> bool:
        return self._flags[_SHADOW]

    def is_wanted(self) -> bool:
        return self.is_read() or self.is_compared()


def build_answers(
    base: Foundation,
    execution: Execution,
    commands: Commands,
    health: Health,
    *,
    started_at: datetime,
) -> Answers:
    """Build the views."""
    settings, store, clock, metrics = base.settings, base.store, base.clock, base.metrics
    flags = _ProjectionFlags(commands.flags)
    event_feed = EventFeed(store, clock, metrics, size=settings.sched_event_bus_max)
    projector = Projector(
        store,
        base.checkpoint,
        clock,
        metrics,
        wanted=flags.is_wanted,
        scratch=partial(sqlite_store, synchronous="OFF", is_kept=False),
    )
    calendar = _calendar(base, flags, projector, event_feed)
    ledger = LedgerView(store, judging=health.has_recovered, agent=execution.queue.agent)
    return Answers(
        event_feed=event_feed,
        projector=projector,
        calendar=calendar,
        ics=IcsView(calendar),
        cron=CronView(
            store,
            workspaces_root=settings.workspaces_root.absolute(),
            default_source=settings.default_timezone_source,
            agent=execution.queue.agent,
            last_sign=execution.running.last_sign,
            look_for_sign=execution.running.look_for_sign,
        ),
        ledger=ledger,
        stasis_view=StasisView(store, calendar, agent=execution.queue.agent, off=base.switches.off),
        ledger_watch=LedgerWatch(ledger, clock, metrics),
        run_logs=RunLogs(settings.run_logs_dir, settings.data_dir),
        notifications=NotificationView(store, keep=settings.notifications_max),
        session_view=SessionView(
            store,
            execution.hub.connected,
            execution.hub.sessions,
            workspaces_root=settings.workspaces_root.absolute(),
        ),
        heartbeat_view=HeartbeatView(
            store, commands.beats.config, workspaces_root=settings.workspaces_root
        ),
        scheduling_metrics=SchedulingMetrics(
            store, metrics, event_feed, projector, started_at=started_at
        ),
    )


def _calendar(
    base: Foundation, flags: _ProjectionFlags, projector: Projector, event_feed: EventFeed
) -> CalendarView:
    # One thread: each has a heap of its own, which keeps the memory of a large answer.
    thread = Pool("answers", 1)
    cache = FeedCache()
    projector.on_rebuild(cache.forget)
    return CalendarView(
        InternalCalendar(
            base.store,
            projector,
            base.clock,
            base.metrics,
            thread,
            cache,
            projected=flags.is_read,
            shadowed=flags.is_compared,
        ),
        thread,
        cache,
        stream_id=event_feed.current_stream_id,
        default_zone=base.settings.page_timezone,
    )

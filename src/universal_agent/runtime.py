"""How does it all hang together? The composition root: the only place where things are wired."""

import asyncio
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from universal_agent.clock import Clock, SystemClock
from universal_agent.domain.continuity import Thresholds
from universal_agent.domain.events import (
    Event,
)
from universal_agent.domain.heartbeat import OVERRIDES_FILE, config_from
from universal_agent.domain.notifications import Kind
from universal_agent.domain.slot import Source
from universal_agent.engine.alarms import Alarms, Trouble
from universal_agent.engine.beat_delivery import BeatDelivery
from universal_agent.engine.beats import Beats
from universal_agent.engine.capacity import Capacity
from universal_agent.engine.changes import Changes
from universal_agent.engine.continuity import Continuity
from universal_agent.engine.delivery import Deliverer, apprise_targets
from universal_agent.engine.dispatch import Dispatcher
from universal_agent.engine.exceptions import Exceptions
from universal_agent.engine.executor import Executor
from universal_agent.engine.flags import Flags
from universal_agent.engine.heartbeats import Heartbeats
from universal_agent.engine.held_jobs import HeldJobs
from universal_agent.engine.hub import Hub
from universal_agent.engine.instance import own_key
from universal_agent.engine.jobs import Jobs
from universal_agent.engine.live_turns import LiveTurns
from universal_agent.engine.notify import Notifier
from universal_agent.engine.off import OffEngine
from universal_agent.engine.operator_token import OperatorToken
from universal_agent.engine.presence import Presence
from universal_agent.engine.push_switch import PushSwitch
from universal_agent.engine.recovery import Recovery
from universal_agent.engine.rephrasing import PATIENCE_SECONDS, Rephraser
from universal_agent.engine.retention import Retention
from universal_agent.engine.run_ends import RunEnds
from universal_agent.engine.run_queue import RunQueue
from universal_agent.engine.running import RunningRuns
from universal_agent.engine.scheduler import Scheduler
from universal_agent.engine.sessions import Sessions
from universal_agent.engine.stasis import Stasis
from universal_agent.engine.supervisor import Supervisor
from universal_agent.engine.timer import Timer
from universal_agent.engine.troubles import troubles_of
from universal_agent.engine.turns import AGENT, Turns
from universal_agent.engine.watchdog import Watchdog
from universal_agent.errors import EngineOff, StoreUnavailable
from universal_agent.masking import SECRETS, mask
from universal_agent.metrics import Metrics
from universal_agent.runners.agent import agent_state
from universal_agent.runners.base import Runner, load_runners
from universal_agent.runners.chat import ChatEndpoint
from universal_agent.runners.mock import mocked
from universal_agent.runners.workspace_watch import WorkspaceWatch, watch_workspaces
from universal_agent.settings import Settings, secrets_of
from universal_agent.store import verbs
from universal_agent.store.checkpoint import Checkpoint
from universal_agent.store.store import Store, sqlite_store
from universal_agent.threads import Pool
from universal_agent.views.calendar import CalendarView
from universal_agent.views.calendar_provider import InternalCalendar
from universal_agent.views.cron import CronView
from universal_agent.views.event_feed import EventFeed
from universal_agent.views.heartbeats import HeartbeatView
from universal_agent.views.ics import IcsView
from universal_agent.views.ledger import LedgerView
from universal_agent.views.notifications import NotificationView
from universal_agent.views.projection import Projector
from universal_agent.views.run_logs import RunLogs
from universal_agent.views.scheduling_metrics import SchedulingMetrics
from universal_agent.views.sessions import SessionView

#: The runner of sessions' beats; no person's job may have it.
BEATS = "heartbeat"

_PROJECTION = "UA_SCHED_EVENT_PROJECTION_ENABLED"
_SHADOW = "UA_SCHED_PROJECTION_SHADOW"


_log = structlog.get_logger(__name__)

#: How often the ledger is reckoned unasked, and how far back.
_LEDGER_SECONDS = 60.0
_LEDGER_WINDOW = timedelta(minutes=10)

#: How long the journal lets events gather: whatever is due comes first.
_JOURNAL_SECONDS = 0.5

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the gateway can be relied on right now."""

    ok: bool
    #: Why not, one sentence each.
    reasons: tuple[str, ...]
    store_error: str | None


class Runtime:
    """Every long-lived object, made from settings and a clock; started and stopped as one."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        store: Store | None = None,
        runners: Mapping[str, Runner] | None = None,
        journal: Callable[[Sequence[Event]], None] | None = None,
        watch: WorkspaceWatch | None = None,
        watched: bool = True,
    ) -> None:
        """`watch` tells of changed files of workspaces; None: what the system has for that.

        `watched=False`: on a clock that cannot jump, nobody looks again and again whether it
        did, whether the loop stands still, and whether a slot was lost.
        """
        self.settings = settings
        self._secrets = secrets_of(settings)
        SECRETS.hold(self._secrets)
        self.clock: Clock = clock or SystemClock()
        self.metrics = Metrics()
        self.token = OperatorToken(settings, self.clock)
        #: Shows to commands that this is the gateway of its data directory.
        self.instance_key = b""
        self.started_at = self.clock.now()
        self.host = platform.node() or "localhost"
        self.store: Store = store or sqlite_store(
            settings.database_path, state_dir=settings.state_dir
        )
        self.runners = dict(runners) if runners is not None else load_runners(settings)
        if settings.cron_mock_response:
            self.runners |= mocked(self.runners.keys() - {BEATS})

        #: The sources whose engine is switched off.
        self._off = tuple(source for source in Source if not self._is_on(source))
        self._watch = watch or watch_workspaces([OVERRIDES_FILE])
        self._watched = watched
        self.timer = Timer(self.clock) if watched else Timer(self.clock, longest_sleep=_DAY)
        run_ends = RunEnds(self.store, self.clock)
        self.hub = Hub(self.clock)
        live_turns = LiveTurns(self.hub)
        work = asyncio.Event()
        self.running = RunningRuns(
            self.clock,
            self.metrics,
            self.runners,
            live_turns,
            work,
            host=self.host,
            run_logs_dir=settings.run_logs_dir,
            workspaces_root=settings.workspaces_root,
            system_events_max=settings.system_events_max,
        )
        self.capacity = Capacity(
            self.clock, self.running, concurrency=settings.cron_max_concurrency, off=self._off
        )
        self.run_queue = RunQueue(
            self.store, self.clock, self.running, self.capacity, work, host=self.host
        )
        self.executor = Executor(
            self.store, self.clock, self.metrics, self.run_queue, self.running, work
        )
        scheduler = partial(Scheduler, self.store, self.clock, self.run_queue, self.timer)
        self.scheduler = scheduler(without=self._off[0] if len(self._off) == 1 else None)
        self._engines = {
            source: OffEngine(self.store, self.clock, scheduler(), source) for source in Source
        }
        self.recovery = Recovery(self.store, self.clock, self.scheduler, host=self.host)
        self.supervisor = Supervisor(self.clock, self.metrics)
        shortest_interval = timedelta(seconds=settings.min_interval_seconds)
        parts = (self.store, self.clock, self.scheduler, run_ends)
        commands: dict[str, Any] = {
            "default_runner": "agent" if settings.has_agent else "shell",
            "max_jobs": settings.max_jobs,
            "shortest_interval": shortest_interval,
            "workspaces_root": settings.workspaces_root,
        }
        others = {name: runner for name, runner in self.runners.items() if name != BEATS}
        self._jobs = Jobs(*parts, others, **commands)
        self._beats = Beats(
            *parts,
            self.runners,
            **commands,
            config=config_from(settings),
            system_events_max=settings.system_events_max,
        )
        self._heartbeats = Heartbeats(
            self.store,
            self.clock,
            self._beats,
            workspaces_root=settings.workspaces_root,
            watch=self._watch,
            shortest_interval=shortest_interval,
            enabled=settings.enable_heartbeat,
        )
        self.beat_delivery = BeatDelivery(self.store, self.clock, self.hub)
        self.deliverer = Deliverer(self.store, self.clock, apprise_targets(settings.notify_urls))
        self.notifier = Notifier(
            self.store,
            self.clock,
            keep=settings.notifications_max,
            snooze_default=timedelta(minutes=settings.notification_snooze_minutes_default),
            snooze_max=timedelta(minutes=settings.notification_snooze_minutes_max),
            deliverer=self.deliverer,
            hub=self.hub,
        )
        self.alarms = Alarms(self.store, self.clock, self.notifier, self.deliverer, self._troubles)
        self.continuity = Continuity(
            self.store,
            self.clock,
            self.metrics,
            self.notifier,
            Thresholds(
                resume_success_min=settings.continuity_resume_success_min,
                attach_success_min=settings.continuity_attach_success_min,
                failures=settings.continuity_failure_warn_threshold,
            ),
        )
        self.turns = Turns(
            self.store,
            self.clock,
            self.metrics,
            self.hub,
            live_turns,
            agent=self.runners.get(AGENT),
            run_logs_dir=settings.run_logs_dir,
        )
        self.held_jobs = HeldJobs(self.store)
        self.sessions = Sessions(
            self.store,
            self.clock,
            self.continuity,
            self.hub,
            self.turns,
            self._heartbeats,
            self.beat_delivery,
            workspaces_root=settings.workspaces_root,
        )
        self.session_view = SessionView(
            self.store,
            self.hub.connected,
            lambda: self.hub.sessions,
            workspaces_root=settings.workspaces_root.absolute(),
        )
        self.heartbeat_view = HeartbeatView(
            self.store, self._beats.config, workspaces_root=settings.workspaces_root
        )
        self.presence = Presence(self.clock)
        self.cron = CronView(self.store, workspaces_root=settings.workspaces_root.absolute())
        self.stasis = Stasis(
            self.store,
            self.clock,
            self._beats,
            require=self.require,
        )
        self.exceptions = Exceptions(self.store, self.clock)
        self._rephraser = _rephraser(settings, self.clock)
        self.changes = Changes(
            self.store,
            self.clock,
            {jobs.source: jobs for jobs in (self._jobs, self._beats)},
            self.exceptions,
            self._rephraser,
        )
        self.flags = Flags(self.store, self.clock, settings)
        self.event_feed = EventFeed(
            self.store, self.clock, self.metrics, size=settings.sched_event_bus_max
        )
        self.checkpoint = Checkpoint(settings.database_path, partial(sqlite_store, is_kept=False))
        self.retention = Retention(
            self.store,
            self.checkpoint,
            self.clock,
            events_for=_days(settings.event_retention_days),
            run_logs_for=_days(settings.run_log_retention_days),
            run_logs_dir=settings.run_logs_dir,
        )
        self.projector = Projector(
            self.store,
            self.checkpoint,
            self.clock,
            self.metrics,
            wanted=lambda: self.flags[_PROJECTION] or self.flags[_SHADOW],
            scratch=partial(sqlite_store, synchronous="OFF", is_kept=False),
        )
        self.scheduling_metrics = SchedulingMetrics(
            self.store,
            self.metrics,
            self.event_feed,
            self.projector,
            started_at=self.started_at,
        )
        # One thread: each has a heap of its own, which keeps what a large answer took.
        thread = Pool("answers", 1)
        self.calendar = CalendarView(
            InternalCalendar(
                self.store,
                self.projector,
                self.clock,
                self.metrics,
                thread,
                projected=lambda: self.flags[_PROJECTION],
                shadowed=lambda: self.flags[_SHADOW],
            ),
            thread,
            stream_id=lambda: self.event_feed.stream_id,
            default_zone=settings.user_timezone,
        )
        self.projector.on_rebuild(self.calendar.forget)
        self.ics = IcsView(self.calendar)
        self.ledger = LedgerView(self.store, judging=lambda: self._recovered)
        self.run_logs = RunLogs(settings.run_logs_dir, settings.data_dir)
        self.notifications = NotificationView(self.store, keep=settings.notifications_max)
        self.watchdog = Watchdog(
            lambda: self.timer.seconds_since_tick,
            rearm=self._rearm,
            healthy=lambda: self.health().ok,
            ping_url=settings.watchdog_ping_url,
            on_alarm=lambda reason: self.alarms.send_now(
                "event loop", Trouble(Kind.LOOP_DOWN, f"{reason}.".capitalize())
            ),
        )
        self.dispatcher = Dispatcher(self.store, self.clock)
        self.dispatcher.subscribe(
            self.flags,
            PushSwitch(self.flags, self.event_feed),
            self.scheduler,
            self.run_queue,
            self.executor,
            run_ends,
            self.turns,
            self._heartbeats,
            self.beat_delivery,
            self.held_jobs,
            self.notifier,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._journal = journal
        #: The seq of the last event that the journal has had.
        self._journalled = 0
        #: Slots that the ledger's last look found without an outcome.
        self._unaccounted: tuple[str, ...] = ()
        self._recovered = False
        self._stopped = False

    def _is_on(self, source: Source) -> bool:
        settings = self.settings
        return settings.enable_cron if source is Source.CRON else settings.enable_heartbeat

    @property
    def _on(self) -> Sequence[Source]:
        return [source for source in Source if source not in self._off]

    @property
    def jobs(self) -> Jobs:
        """Commands on jobs. Raises EngineOff while cron is switched off."""
        self.require_cron()
        return self._jobs

    @property
    def heartbeats(self) -> Heartbeats:
        """Commands on heartbeats. Raises EngineOff while they are switched off."""
        self.require(Source.HEARTBEAT)
        return self._heartbeats

    def commands(self, source: Source) -> Jobs:
        """Commands on jobs of a source. Raises EngineOff while its engine is switched off."""
        self.require(source)
        return self._jobs if source is Source.CRON else self._beats

    def require_cron(self) -> None:
        """Raise EngineOff while cron is switched off."""
        self.require(Source.CRON)

    def require(self, source: Source) -> None:
        """Raise EngineOff while the source's engine is switched off."""
        if not self._is_on(source):
            raise EngineOff(f"{source.capitalize()} service not available.")

    async def start(self) -> None:
        """Open the store, bring it up to the present, start the loops."""
        self._loop = asyncio.get_running_loop()
        if problem := agent_state(self.settings)[1]:
            _log.warning("agent_program_missing", action="agent_program_missing", reason=problem)
        # Before anything is made: a data directory that was there and is gone is not made again.
        await self.store.open()
        self.settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings.workspaces_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.instance_key = own_key(self.settings.data_dir)
        await self.event_feed.start()
        await self.dispatcher.start()
        self.supervisor.keep("dispatcher", self.dispatcher.run)
        self.supervisor.keep("dispatcher's looks", self.dispatcher.run_looks)
        self.supervisor.keep("event feed", self.event_feed.run)
        self.supervisor.keep("projector", self.projector.run)
        if self._journal is not None:
            self._journalled = (await self.store.read(verbs.event_log.log_bounds)).newest_seq
            self.supervisor.keep("journal", self._keep_journal)
        self.supervisor.keep("notifier", self.notifier.run)
        self.supervisor.keep("heartbeat delivery", self.beat_delivery.run)
        self.supervisor.keep("turns", self.turns.run)
        self.supervisor.keep("continuity", self.continuity.run)
        if self._watched and self.token.is_followed:
            self.supervisor.keep("operator's token", self.token.run)
        await self.deliverer.adopt()
        for number, target in enumerate(self.deliverer.targets, 1):
            self.supervisor.keep(f"delivery {number}", partial(self.deliverer.run, target))
        if self._watched:
            self.supervisor.keep("alarms", self.alarms.run)
        with self.timer.looking():
            await self.recovery.run(
                off=[self._engines[source] for source in self._off],
                on=[self._engines[source] for source in self._on],
            )
        if Source.HEARTBEAT in self._on:
            await self._heartbeats.sync()
            self.supervisor.keep("heartbeats", self._heartbeats.run)
            self.supervisor.keep("workspace watch", self._heartbeats.follow_files)
        self.supervisor.keep("executor", self.executor.run)
        for source in self._off:
            self.supervisor.keep(f"{source} switched off", self._engines[source].run)
        if self._on:
            self.supervisor.keep("scheduler", self.scheduler.run)
            if self._watched:
                self.supervisor.keep("ledger", self._watch_ledger)
                self.watchdog.start()
        self.supervisor.keep("retention", self.retention.run)
        self._recovered = True

    async def stop(self) -> None:
        """Stop what runs, record how it ended, close the store; harmless when called twice."""
        if self._stopped:
            return
        self._stopped = True
        self.watchdog.stop()
        if self._recovered:
            await self.executor.close_queue()
        await self.supervisor.stop()
        if self._recovered:
            await self.executor.close()
            await self.recovery.close_interrupted()
            # Nobody may read it any more, and the events are in the log all the same.
            with suppress(StoreUnavailable, OSError):
                await self._write_journal()
        await asyncio.gather(*(runner.close() for runner in self.runners.values()))
        if self._rephraser is not None:
            await self._rephraser.close()
        self._watch.close()
        await self.store.close()
        SECRETS.release(self._secrets)

    def _rearm(self) -> None:
        """Have the timer look at its clock, from the watchdog's thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.timer.bring_forward, self.clock.now())

    def end_streams(self) -> None:
        """Let go of everybody who follows something: the gateway stops."""
        self.event_feed.close_all()
        self.hub.close_all("the gateway stops")

    async def dashboard_summary(self) -> dict[str, Any]:
        """The overview's counts."""
        now = self.clock.now()
        pending = await self.stasis.pending()
        return {
            "sessions": await self.session_view.counts(),
            "approvals": {"pending": len(pending), "total": len(pending)},
            "cron": {
                "total": await self.store.read(verbs.jobs.count_jobs),
                "enabled": await self.store.read(verbs.jobs.count_enabled_jobs),
                "paused_after_failures": len(self.held_jobs),
            },
            "notifications": await self.notifications.counts(now=now),
            "deployment_profile": self.deployment_profile(),
        }

    def deployment_profile(self) -> dict[str, Any]:
        """What this gateway is made of, for health and the overview."""
        return {
            "database": "sqlite",
            "cron": self.settings.enable_cron,
            "heartbeat": self.settings.enable_heartbeat,
            "mock_responses": (
                self.settings.cron_mock_response or self.settings.heartbeat_mock_response
            ),
            "auth_required": self.token.is_set,
            "agent": agent_state(self.settings)[0],
        }

    async def _watch_ledger(self) -> None:
        """Reckon the last minutes again and again, so that a lost slot raises an alarm."""
        while True:
            await self.clock.sleep(_LEDGER_SECONDS)
            now = self.clock.now()
            ledger = await self.ledger.ledger(start=now - _LEDGER_WINDOW, end=now, now=now)
            lost = ledger["unaccounted"]
            self.metrics.slots_unaccounted.set(ledger["unaccounted_count"])
            self._unaccounted = tuple(lost)
            if lost:
                _log.error("slots_unaccounted", action="slots_unaccounted", event_ids=lost[:20])

    async def _keep_journal(self) -> None:
        """Hand every new event to the journal, in order, from the log itself, for ever."""
        async for _ in self.store.appended(after_seq=self._journalled):
            await self.clock.sleep(_JOURNAL_SECONDS)
            await self._write_journal()

    async def _write_journal(self) -> None:
        """Hand the journal what has come."""
        if self._journal is None:
            return
        while events := await self.store.read_events(after_seq=self._journalled, limit=500):
            self._journal(events)
            self._journalled = events[-1].seq

    def _troubles(self) -> dict[str, Trouble]:
        return troubles_of(self.store, self.supervisor, self.watchdog, self._unaccounted)

    def health(self) -> Health:
        """What is wrong right now, if anything."""
        reasons = []
        if not self._recovered:
            reasons.append("recovery has not finished")
        for loop, reason in sorted(self.supervisor.failures.items()):
            reasons.append(f"the {loop} loop is down ({reason}) and is being started again")
        if self.watchdog.alarm is not None:
            reasons.append(self.watchdog.alarm)
        error = self.store.last_error
        if error is not None:
            reasons.append(f"the database cannot take writes ({error})")
        return Health(ok=not reasons, reasons=tuple(map(mask, reasons)), store_error=error)


def _rephraser(settings: Settings, clock: Clock) -> Rephraser | None:
    """Who helps with instructions; None without an endpoint, or when nothing is to be asked."""
    if not settings.agent_base_url or settings.cron_mock_response:
        return None
    endpoint = ChatEndpoint(
        settings.agent_base_url,
        model=settings.agent_model,
        api_key=settings.agent_api_key,
        clock=clock,
        connect_seconds=PATIENCE_SECONDS,
        silence_seconds=PATIENCE_SECONDS,
    )
    return Rephraser(endpoint, clock)


def _days(count: int) -> timedelta | None:
    """How long something is kept; None: for good."""
    return timedelta(days=count) if count else None

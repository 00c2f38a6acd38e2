"""The composition root: every long-lived object, made from settings and a clock.

The parts are built by duty in `wiring/`; here they are put together, started and stopped as one.
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import structlog

from universal_agent.clock import Clock, SystemClock
from universal_agent.domain.events import Event
from universal_agent.domain.heartbeat import OVERRIDES_FILE
from universal_agent.domain.slot import Source
from universal_agent.engine.dispatch import Dispatcher
from universal_agent.engine.health import Health, HealthReport
from universal_agent.engine.heartbeats import Heartbeats
from universal_agent.engine.held_jobs import HeldJobs
from universal_agent.engine.instance import own_key
from universal_agent.engine.jobs import Jobs
from universal_agent.engine.journal import Journal
from universal_agent.engine.operator_token import OperatorToken
from universal_agent.engine.own_process import new_process
from universal_agent.engine.presence import Presence
from universal_agent.engine.push_switch import PushSwitch
from universal_agent.engine.supervisor import Supervisor
from universal_agent.engine.switches import Switches
from universal_agent.masking import SECRETS
from universal_agent.metrics import Metrics
from universal_agent.runners.agent import agent_state
from universal_agent.runners.base import Runner
from universal_agent.runners.keepers import HAS_KEEPERS, Keepers
from universal_agent.runners.workspace_watch import WorkspaceWatch, watch_workspaces
from universal_agent.settings import Settings, secrets_of
from universal_agent.store import verbs
from universal_agent.store.checkpoint import Checkpoint
from universal_agent.store.store import Store, sqlite_store
from universal_agent.wiring.alerts import Alerts, build_alerts
from universal_agent.wiring.answers import Answers, build_answers
from universal_agent.wiring.commands import Commands, build_commands
from universal_agent.wiring.conversations import Conversations, build_conversations
from universal_agent.wiring.execution import Execution, build_execution
from universal_agent.wiring.foundation import Foundation, retention_of, runners_of

_log = structlog.get_logger(__name__)


class Runtime:
    """The gateway's parts, started and stopped as one."""

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
        """`watch` reports changed files of workspaces; None: by the means of the system.

        `watched=False`: the clock cannot jump, so jumps, stalls and lost slots are not looked for.
        """
        self.settings = settings
        self._secrets = secrets_of(settings)
        SECRETS.hold(self._secrets)
        self.clock: Clock = clock or SystemClock()
        self.metrics = Metrics()
        self.token = OperatorToken(settings, self.clock)
        #: Proves to commands that this is the gateway of its data directory.
        self.instance_key = b""
        self.started_at = self.clock.now()
        self.store: Store = store or sqlite_store(
            settings.database_path, state_dir=settings.state_dir
        )
        self.runners = runners_of(settings, runners)
        self.keepers = Keepers(settings.data_dir) if HAS_KEEPERS else None
        self.supervisor = Supervisor(self.clock, self.metrics)
        self.checkpoint = Checkpoint(settings.database_path, partial(sqlite_store, is_kept=False))
        self._switches = Switches(settings)
        self._watch = watch or watch_workspaces([OVERRIDES_FILE])
        self._journal = None if journal is None else Journal(self.store, self.clock, journal)
        self._health = Health(self.store, self.supervisor)
        self._stopped = False
        self._compose(
            Foundation(
                settings=settings,
                clock=self.clock,
                store=self.store,
                metrics=self.metrics,
                runners=self.runners,
                keepers=self.keepers,
                process=new_process(self.clock, platform.node() or "localhost"),
                switches=self._switches,
                supervisor=self.supervisor,
                checkpoint=self.checkpoint,
                watched=watched,
            )
        )

    def _compose(self, base: Foundation) -> None:
        """Build the parts, each on those before it."""
        self._base = base
        self.presence = Presence(base.clock)
        self.held_jobs = HeldJobs(base.store)
        self._execution = build_execution(base)
        self._health.drains(self._execution.drain)
        self._health.asks(self._execution.pools)
        self._commands = build_commands(base, self._execution, self._watch)
        self._answers = build_answers(
            base, self._execution, self._commands, self._health, started_at=self.started_at
        )
        self._alerts = build_alerts(
            base, self._execution, self._commands, self._health, self._answers.ledger_watch
        )
        self._conversations = build_conversations(
            base, self._execution, self._commands, self._alerts.continuity
        )
        self.retention = retention_of(base)
        self.dispatcher = Dispatcher(base.store, base.clock)
        self._subscribe()
        self._expose(
            self._execution, self._commands, self._answers, self._alerts, self._conversations
        )

    def _subscribe(self) -> None:
        """Name the parts that react to what is committed."""
        flags = self._commands.flags
        self.dispatcher.subscribe(
            flags,
            self._commands.feed_tokens,
            PushSwitch(flags, self._answers.event_feed),
            self._execution.scheduler,
            self._execution.queue,
            self._execution.executor,
            self._execution.run_ends,
            self._conversations.turns,
            self._conversations.beat_delivery,
            self._commands.heartbeats,
            self.held_jobs,
            self._execution.resources,
            self._execution.pools,
            self._alerts.notifier,
            self._alerts.deliverer,
            self._alerts.silence,
        )

    def _expose(
        self,
        execution: Execution,
        commands: Commands,
        answers: Answers,
        alerts: Alerts,
        conversations: Conversations,
    ) -> None:
        """The parts that the API and tests use, by name."""
        self.timer = execution.timer
        self.hub = execution.hub
        self.running = execution.running
        self.capacity = execution.capacity
        self.scheduler = execution.scheduler
        self.executor = execution.executor
        self.resources = execution.resources
        self.pools = execution.pools
        self.recovery = execution.recovery
        self.drain = execution.drain
        self.reconciler = execution.reconciler
        self.own_process = execution.own_process
        self.stasis = commands.stasis
        self.slot_overrides = commands.slot_overrides
        self.changes = commands.changes
        self.flags = commands.flags
        self.feed_tokens = commands.feed_tokens
        self.event_feed = answers.event_feed
        self.projector = answers.projector
        self.calendar = answers.calendar
        self.ics = answers.ics
        self.cron = answers.cron
        self.stasis_view = answers.stasis_view
        self.ledger = answers.ledger
        self.run_logs = answers.run_logs
        self.notifications = answers.notifications
        self.session_view = answers.session_view
        self.heartbeat_view = answers.heartbeat_view
        self.scheduling_metrics = answers.scheduling_metrics
        self.notifier = alerts.notifier
        self.deliverer = alerts.deliverer
        self.channels = alerts.channels
        self.alarms = alerts.alarms
        self.continuity = alerts.continuity
        self.watchdog = alerts.watchdog
        self.turns = conversations.turns
        self.beat_delivery = conversations.beat_delivery
        self.sessions = conversations.sessions

    # -- commands, where their engine is on

    @property
    def jobs(self) -> Jobs:
        """Commands on jobs. Raises EngineOff while cron is switched off."""
        self.require_cron()
        return self._commands.jobs

    @property
    def heartbeats(self) -> Heartbeats:
        """Commands on heartbeats. Raises EngineOff while they are switched off."""
        self.require(Source.HEARTBEAT)
        return self._commands.heartbeats

    def commands(self, source: Source) -> Jobs:
        """Commands on jobs of a source. Raises EngineOff while its engine is switched off."""
        self.require(source)
        return self._commands.jobs if source is Source.CRON else self._commands.beats

    def require_cron(self) -> None:
        """Raise EngineOff while cron is switched off."""
        self.require(Source.CRON)

    def require(self, source: Source) -> None:
        """Raise EngineOff while the source's engine is switched off."""
        self._switches.require(source)

    # -- starting and stopping

    async def start(self) -> None:
        """Open the store, bring it up to the present, start the loops."""
        if problem := agent_state(self.settings)[1]:
            _log.warning("agent_program_missing", reason=problem)
        # Before anything is made: a data directory that is gone is not made again.
        await self.store.open()
        self.settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings.workspaces_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.instance_key = own_key(self.settings.data_dir)
        await self.event_feed.start()
        await self.dispatcher.start()
        await self._follow_the_log()
        await self._recover()
        if Source.HEARTBEAT in self._switches.on:
            await self._commands.heartbeats.sync()
        self._start_engines()
        self._health.recovered()

    async def _follow_the_log(self) -> None:
        """Start the loops that react to events, before any event is appended."""
        keep = self.supervisor.keep
        keep("dispatcher", self.dispatcher.run)
        keep("dispatcher's looks", self.dispatcher.run_looks)
        keep("event feed", self.event_feed.run)
        keep("projector", self.projector.run)
        if self._journal is not None:
            await self._journal.start()
            keep("journal", self._journal.run)
        keep("notifier", self.notifier.run)
        keep("heartbeat delivery", self.beat_delivery.run)
        keep("turns", self.turns.run)
        keep("continuity", self.continuity.run)
        if self._base.watched and self.token.is_followed:
            keep("operator's token", self.token.run)
        await self.deliverer.adopt()
        for channel in self.deliverer.channels:
            keep(f"delivery {channel.name}", partial(self.deliverer.run, channel))
        if self._base.watched:
            keep("alarms", self._alerts.alarms.run)

    async def _recover(self) -> None:
        """Close what lost processes left, and decide what passed since."""
        off_engines = self._execution.off_engines
        with self.timer.looking():
            await self.own_process.register()
            await self.pools.apply()
            await self.reconciler.close_lost(but=self.own_process.id)
            await self.recovery.run(
                off=[off_engines[source] for source in self._switches.off],
                on=[off_engines[source] for source in self._switches.on],
            )

    def _start_engines(self) -> None:
        """Start the loops that decide and execute slots."""
        keep, heartbeats = self.supervisor.keep, self._commands.heartbeats
        if Source.HEARTBEAT in self._switches.on:
            keep("heartbeats", heartbeats.run)
            keep("workspace watch", heartbeats.follow_files)
        keep("executor", self.executor.run)
        keep("pools", self.pools.run)
        if not self.store.is_exclusive:
            keep("process beats", self.own_process.run_beats)
            keep("reconciler", self.own_process.run_reconciler)
            keep("process fence", self.own_process.run_fence)
        for source in self._switches.off:
            keep(f"{source} switched off", self._execution.off_engines[source].run)
        if self._switches.on:
            keep("scheduler", self.scheduler.run)
            if self._base.watched:
                keep("ledger", self._answers.ledger_watch.run)
                self.watchdog.start()
        if self._base.watched:
            keep("silence", self._alerts.silence.run)
        if (digest := self._alerts.expired_digest) is not None:
            keep("expired digest", digest.run)
        keep("retention", self.retention.run)

    async def stop(self) -> None:
        """Stop what runs, record how it ended, close the store. A second call does nothing.

        Raises StoreUnavailable when it could not be recorded; everything is closed all the same.
        """
        if self._stopped:
            return
        self._stopped = True
        async with AsyncExitStack() as rest:
            # From the last to the first, and each of them though others fail.
            rest.callback(SECRETS.release, self._secrets)
            rest.push_async_callback(self.store.close)
            if self.keepers is not None:
                rest.push_async_callback(self.keepers.close)
            rest.callback(self._watch.close)
            if self._commands.rephraser is not None:
                rest.push_async_callback(self._commands.rephraser.close)
            for runner in self.runners.values():
                rest.push_async_callback(runner.close)
            rest.push_async_callback(self._record_ends)
            rest.push_async_callback(self.supervisor.stop)
            self.watchdog.stop()
            await self.drain.close()
            if self._health.has_recovered():
                await self.executor.close_queue()

    async def _record_ends(self) -> None:
        """Stop the runs, and record their ends and that of this process."""
        if not self._health.has_recovered():
            return
        await self.executor.close()
        await self.executor.note_stop()
        await self.own_process.leave()
        if self._journal is not None:
            await self._journal.finish()

    def drain_at_signal(self) -> bool:
        """Begin a drain if UA_DRAIN_SECONDS says so; False when the stop is not to wait.

        A signal while the gateway drains stops it now.
        """
        if self.drain.is_on or not self.settings.drain_seconds:
            return False
        self.drain.begin(self.settings.drain_seconds)
        return True

    def end_streams(self) -> None:
        """Disconnect every client that follows something: the gateway stops."""
        self.event_feed.close_all()
        self.hub.close_all("the gateway stops")

    # -- the gateway itself

    def health(self) -> HealthReport:
        """What is wrong right now, if anything."""
        return self._health.report()

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
            "resources_down": await self.resources.documents(),
            "notifications": await self.notifications.counts(now=now),
            "deployment_profile": self.deployment_profile(),
        }

    def deployment_profile(self) -> dict[str, Any]:
        """What this gateway is made of, for health and the overview."""
        settings = self.settings
        return {
            "database": "sqlite",
            "cron": settings.enable_cron,
            "heartbeat": settings.enable_heartbeat,
            "mock_responses": settings.cron_mock_response or settings.heartbeat_mock_response,
            "auth_required": self.token.is_set,
            "agent": agent_state(settings)[0],
        }

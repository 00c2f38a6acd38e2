"""Notifications, their delivery, and alarms about the gateway itself."""

from dataclasses import dataclass
from datetime import timedelta

from universal_agent.domain.channels import minute_of_day
from universal_agent.domain.continuity import Thresholds
from universal_agent.engine.alarms import Alarms
from universal_agent.engine.channel_checks import ChannelChecks
from universal_agent.engine.channels import build_channels
from universal_agent.engine.continuity import Continuity
from universal_agent.engine.delivery import Deliverer
from universal_agent.engine.direct_alarms import DirectAlarms
from universal_agent.engine.disk import DiskWatch
from universal_agent.engine.expired import ExpiredDigest
from universal_agent.engine.health import Health
from universal_agent.engine.notify import Notifier
from universal_agent.engine.silence import Silence
from universal_agent.engine.troubles import Troubles
from universal_agent.engine.watchdog import Watchdog
from universal_agent.views.ledger_watch import LedgerWatch
from universal_agent.wiring.commands import Commands
from universal_agent.wiring.execution import Execution
from universal_agent.wiring.foundation import Foundation


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """The parts that tell people."""

    deliverer: Deliverer
    channels: ChannelChecks
    notifier: Notifier
    continuity: Continuity
    alarms: Alarms
    watchdog: Watchdog
    silence: Silence
    #: None: nobody is to be told of what expires.
    expired_digest: ExpiredDigest | None


def build_alerts(
    base: Foundation,
    execution: Execution,
    commands: Commands,
    health: Health,
    ledger_watch: LedgerWatch,
) -> Alerts:
    """Build these parts, and let `health` report the watchdog's alarm."""
    settings, store, clock = base.settings, base.store, base.clock
    deliverer = Deliverer(store, clock, build_channels(settings, clock))
    notifier = Notifier(
        store,
        clock,
        keep=settings.notifications_max,
        snooze_default=timedelta(minutes=settings.notification_snooze_minutes_default),
        snooze_max=timedelta(minutes=settings.notification_snooze_minutes_max),
        route=deliverer.route,
        hub=execution.hub,
    )
    disk = DiskWatch(settings.database_path.parent, least_mb=settings.disk_free_min_mb)
    troubles = Troubles(store, base.supervisor, health, disk, ledger_watch.unaccounted)
    alarms = Alarms(store, clock, notifier, DirectAlarms(clock, deliverer), troubles)
    watchdog = Watchdog(
        execution.timer.silent_seconds,
        rearm=execution.timer.rearm,
        healthy=health.is_ok,
        ping_url=settings.watchdog_ping_url,
        on_alarm=alarms.loop_stalled,
    )
    health.watch(watchdog)
    return Alerts(
        deliverer=deliverer,
        channels=ChannelChecks(store, clock, deliverer),
        notifier=notifier,
        continuity=Continuity(
            store,
            clock,
            base.metrics,
            notifier,
            Thresholds(
                resume_success_min=settings.continuity_resume_success_min,
                attach_success_min=settings.continuity_attach_success_min,
                failures=settings.continuity_failure_warn_threshold,
            ),
        ),
        alarms=alarms,
        watchdog=watchdog,
        silence=_silence(base, execution, commands, notifier),
        expired_digest=_expired_digest(base, notifier),
    )


def _silence(
    base: Foundation, execution: Execution, commands: Commands, notifier: Notifier
) -> Silence:
    return Silence(
        base.store,
        base.clock,
        notifier,
        commands.beats.configured,
        agent=execution.queue.agent,
        beats=base.settings.heartbeat_silent_after,
        enabled=base.settings.enable_heartbeat,
    )


def _expired_digest(base: Foundation, notifier: Notifier) -> ExpiredDigest | None:
    settings = base.settings
    if not settings.expired_digest:
        return None
    return ExpiredDigest(
        base.store,
        base.clock,
        notifier,
        minute=minute_of_day(settings.expired_digest, field="UA_EXPIRED_DIGEST"),
        timezone=settings.default_timezone,
    )

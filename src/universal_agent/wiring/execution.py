"""The way of a slot from due to done: timer, scheduler, run queue, executor, recovery,
and the process that claims."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from universal_agent.domain.slot import Source
from universal_agent.engine.capacity import Capacity
from universal_agent.engine.drain import Drain
from universal_agent.engine.executor import Executor
from universal_agent.engine.hub import Hub
from universal_agent.engine.live_turns import LiveTurns
from universal_agent.engine.off import OffEngine
from universal_agent.engine.own_process import OwnProcess
from universal_agent.engine.pools import Pools
from universal_agent.engine.reconciler import Reconciler
from universal_agent.engine.recovery import Recovery
from universal_agent.engine.resources import Resources
from universal_agent.engine.run_ends import RunEnds
from universal_agent.engine.run_queue import RunQueue
from universal_agent.engine.running import RunningRuns
from universal_agent.engine.scheduler import Scheduler
from universal_agent.engine.timer import Timer
from universal_agent.pool_sizes import pool_sizes
from universal_agent.runners.agent import agent_resources
from universal_agent.wiring.foundation import Foundation

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The parts that decide, claim, execute and record."""

    hub: Hub
    live_turns: LiveTurns
    timer: Timer
    run_ends: RunEnds
    running: RunningRuns
    capacity: Capacity
    queue: RunQueue
    #: The services that jobs wait for.
    resources: Resources
    pools: Pools
    executor: Executor
    scheduler: Scheduler
    #: What records the slots of a source whose engine is off, and decides them when it is on.
    off_engines: Mapping[Source, OffEngine]
    reconciler: Reconciler
    recovery: Recovery
    drain: Drain
    own_process: OwnProcess


def build_execution(base: Foundation) -> Execution:
    """Build these parts."""
    settings, store, clock, off = base.settings, base.store, base.clock, base.switches.off
    hub = Hub(clock)
    live_turns = LiveTurns(hub)
    timer = Timer(clock) if base.watched else Timer(clock, longest_sleep=_DAY)
    work = asyncio.Event()
    running = RunningRuns(
        clock,
        base.metrics,
        base.runners,
        live_turns,
        work,
        host=base.process.host,
        run_logs_dir=settings.run_logs_dir,
        workspaces_root=settings.workspaces_root,
        system_events_max=settings.system_events_max,
        slot_states_dir=settings.slot_states_dir,
        keepers=base.keepers,
    )
    capacity = Capacity(
        clock,
        running,
        concurrency=settings.cron_max_concurrency,
        light_workers=settings.light_workers,
        late_spacing=settings.catch_up_spacing_ms / 1000,
        off=off,
        agent=agent_resources(settings),
    )
    queue = RunQueue(store, clock, running, capacity, work, base.process)
    reconciler = Reconciler(store, clock, running, base.keepers, host=base.process.host)
    executor = Executor(store, clock, base.metrics, queue, running, work)
    make_scheduler = partial(Scheduler, store, clock, queue, timer)
    scheduler = make_scheduler(without=off[0] if len(off) == 1 else None)
    return Execution(
        hub=hub,
        live_turns=live_turns,
        timer=timer,
        run_ends=RunEnds(store, clock),
        running=running,
        capacity=capacity,
        queue=queue,
        executor=executor,
        resources=Resources(store, clock),
        pools=_pools(base, queue),
        scheduler=scheduler,
        off_engines={
            source: OffEngine(store, clock, make_scheduler(), source) for source in Source
        },
        drain=Drain(store, clock, scheduler, capacity, running, base.process),
        reconciler=reconciler,
        recovery=Recovery(store, clock, scheduler),
        own_process=OwnProcess(store, clock, reconciler, queue, executor),
    )


def _pools(base: Foundation, queue: RunQueue) -> Pools:
    settings = base.settings
    return Pools(
        base.store,
        base.clock,
        queue,
        sizes=pool_sizes(settings.pools),
        concurrency=settings.cron_max_concurrency,
        light_workers=settings.light_workers,
        aging_seconds=settings.queue_aging_seconds,
        warn_seconds=settings.pool_wait_warn_seconds,
    )

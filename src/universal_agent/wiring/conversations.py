"""Sessions and their clients: turns, reports of beats, attaching and detaching."""

from dataclasses import dataclass

from universal_agent.engine.beat_delivery import BeatDelivery
from universal_agent.engine.continuity import Continuity
from universal_agent.engine.sessions import Sessions
from universal_agent.engine.turns import AGENT, Turns
from universal_agent.wiring.commands import Commands
from universal_agent.wiring.execution import Execution
from universal_agent.wiring.foundation import Foundation


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversations:
    """The parts that talk to clients."""

    turns: Turns
    beat_delivery: BeatDelivery
    sessions: Sessions


def build_conversations(
    base: Foundation, execution: Execution, commands: Commands, continuity: Continuity
) -> Conversations:
    """Build these parts."""
    settings, store, clock, hub = base.settings, base.store, base.clock, execution.hub
    turns = Turns(
        store,
        clock,
        base.metrics,
        hub,
        execution.live_turns,
        agent=base.runners.get(AGENT),
        run_logs_dir=settings.run_logs_dir,
    )
    beat_delivery = BeatDelivery(store, clock, hub)
    return Conversations(
        turns=turns,
        beat_delivery=beat_delivery,
        sessions=Sessions(
            store,
            clock,
            continuity,
            hub,
            turns,
            commands.heartbeats,
            beat_delivery,
            workspaces_root=settings.workspaces_root,
        ),
    )

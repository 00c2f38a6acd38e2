"""What is known of the life of sessions' beats."""

from collections.abc import Sequence

from universal_agent.domain.job import QUIET_HOURS
from universal_agent.domain.judge import Cause
from universal_agent.domain.resources import resources_of
from universal_agent.domain.silence import Liveness
from universal_agent.domain.slot import from_epoch
from universal_agent.store.encoding import to_json
from universal_agent.store.steps.cooldowns import read_open
from universal_agent.store.tx import Lane, Tx, in_lane
from universal_agent.store.verbs.beats import list_beats

#: Misses that have notifications of their own; so have beats skipped for a cooldown or a breaker.
_EXCUSED_CAUSES = (Cause.COOLDOWN, Cause.ENGINE_OFF)


@in_lane(Lane.LONG)
def beats_alive(tx: Tx, *, agent: Sequence[str], beats: int) -> list[Liveness]:
    """The life of every session that has beats; `agent` is what the configured agent uses.

    An excused miss is looked for among the latest `beats` ones.
    """
    cooling = read_open(tx).keys()
    found = []
    for job in list_beats(tx):
        row = tx.one(
            "life_of_beats",
            session_id=job.job_id,
            beats=beats,
            quiet=QUIET_HOURS,
            causes=to_json(_EXCUSED_CAUSES),
        )
        assert row is not None
        ended_at, skipped_at, missed_at, is_running = row
        excused = [at for at in (skipped_at, missed_at) if at is not None]
        found.append(
            Liveness(
                job=job,
                ended_at=None if ended_at is None else from_epoch(ended_at),
                excused_at=from_epoch(max(excused)) if excused else None,
                is_running=bool(is_running),
                is_cooling=not cooling.isdisjoint(resources_of(job.spec, agent)),
            )
        )
    return found

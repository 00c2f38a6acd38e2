"""The queued runs that may start, in the order in which they start. Parts of transactions.

Runs on time go first, by priority and time; light ones fill the workers in reserve before. Runs of
missed slots come last, and first among them what is useful for the shortest time. A pool without a
free place holds back its own runs alone.
"""

from collections.abc import Iterable
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.cooldown import Cooldown
from universal_agent.domain.job import JobSpec
from universal_agent.domain.run import Run, RunId
from universal_agent.store.encoding import to_json
from universal_agent.store.rows.runs import RUN_WIDTH, run_from_row
from universal_agent.store.steps.cooldowns import Gate
from universal_agent.store.steps.lanes import Lanes
from universal_agent.store.tx import Row, Tx
from universal_agent.store.values import ClaimRules

#: Columns after those of a run and whether it is serial: the specs; pool, lane and order.
_SPECS = slice(RUN_WIDTH + 1, RUN_WIDTH + 3)
_LANE = slice(RUN_WIDTH + 3, RUN_WIDTH + 5)
_ORDER = slice(RUN_WIDTH + 5, RUN_WIDTH + 9)


def claimable(tx: Tx, lanes: Lanes, rules: ClaimRules, gate: Gate, *, now: datetime) -> list[Row]:
    """The queued runs to start, as far as `lanes` have workers and places for them.

    While runs of missed slots are overdue, one of them goes first. Runs that a cooldown holds are
    left out.
    """
    if lanes.free <= 0:
        return []
    held, probes = _held_runs(tx, gate, now=now) if gate else ([], 0)
    left_out = {"off": to_json(rules.off), "held": to_json(held)}
    taken: list[Row] = []

    def ask(limit: int, *, late: bool = False, **more: bool) -> list[Row]:
        """The first runs of all pools together; of each at most as many as it has places for."""
        rows: list[Row] = []
        for pool, places in lanes.pools() if limit > 0 else ():
            rows += tx.all(
                "claimable_late_runs" if late else "claimable_runs",
                pool=pool,
                # Of several runs that could be the probe of a resource one is let through.
                limit=min(limit, places) + probes,
                **left_out,
                **more,
            )
        return sorted(rows, key=lambda row: row[_ORDER])

    def take(rows: Iterable[Row], *, late: bool = False) -> list[Row]:
        """Take those that find a worker and a place; returns the others."""
        left = []
        for row in rows:
            pool, light = row[_LANE]
            if lanes.has_room(pool, light=light, late=late) and (
                not probes or _passes(tx, row, gate)
            ):
                lanes.take(pool, light=light, late=late)
                taken.append(row)
            else:
                left.append(row)
        return left

    if rules.late_overdue and lanes.late > 0:
        take(ask(1, late=True, overdue=True)[:1], late=True)
    ahead = list(taken)
    light = ask(lanes.free, light=True)
    reserved = lanes.reserve
    waiting = take(light[:reserved]) + light[reserved:]
    waiting += ask(lanes.ordinary, light=False)
    take(sorted(waiting, key=lambda row: row[_ORDER]))
    if (most := min(lanes.late, lanes.ordinary)) > 0:
        late = ask(most + len(ahead), late=True, overdue=False)
        take((row for row in late if row not in ahead), late=True)
    return taken


def _held_runs(tx: Tx, gate: Gate, *, now: datetime) -> tuple[list[RunId], int]:
    """The queued runs that cooldowns hold, and how many others may be probes.

    A person waits for a turn: one that a cooldown holds ends with that as its error.
    """
    held: list[RunId] = []
    probes = 0
    for row in tx.all("queued_runs"):
        _, text, own = row[RUN_WIDTH:]
        try:
            run = run_from_row(row)
            spec = tx.specs.of_run(run, text, own)
        except Exception:  # noqa: S112 - it is closed when it is claimed
            continue
        cooldown = gate.holding(spec)
        if cooldown is None:
            probes += gate.is_cooling(spec)
            continue
        held.append(run.run_id)
        if run.brings_spec:
            _refuse_turn(tx, run, spec, cooldown, now=now)
    return held, probes


def _passes(tx: Tx, row: Row, gate: Gate) -> bool:
    text, own = row[_SPECS]
    try:
        run = run_from_row(row)
        spec = tx.specs.of_run(run, text, own)
    except Exception:  # it is closed when it is claimed
        return True
    return gate.let_through(run.run_id, spec)


def _refuse_turn(tx: Tx, run: Run, spec: JobSpec, cooldown: Cooldown, *, now: datetime) -> None:
    words = cooldown.cause.replace("_", " ")
    error = f"{cooldown.resource} is {words} until {cooldown.until:%Y-%m-%d %H:%M:%S} UTC"
    row = tx.one(
        "refuse_turn",
        run_id=run.run_id,
        error=error,
        end_class=cooldown.cause,
        end_until=cooldown.until.timestamp(),
        now=now.timestamp(),
    )
    if row is not None:
        tx.append(events.run_changed(run_from_row(row), spec, now=now))

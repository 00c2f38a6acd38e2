"""Opening, probing and closing cooldowns, and holding runs back. Parts of transactions."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.cooldown import Closed, Cooldown
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.job import JobSpec
from universal_agent.domain.resources import resources_of
from universal_agent.domain.run import Run, RunId, RunStatus
from universal_agent.store.rows.cooldowns import cooldown_from_row
from universal_agent.store.tx import Tx


def read_open(tx: Tx) -> dict[str, Cooldown]:
    """The open cooldowns by resource."""
    return {row[0]: cooldown_from_row(row) for row in tx.all("open_cooldowns")}


class Gate:
    """Decides within one transaction which runs may start in spite of open cooldowns."""

    def __init__(self, tx: Tx, agent: Sequence[str], *, now: datetime) -> None:
        """`agent` is what the configured agent uses."""
        self._tx = tx
        self._agent = agent
        self._now = now
        self._open = read_open(tx)
        #: The runs that were let through as probes, by resource.
        self._probes: dict[str, RunId] = {}
        self._cost: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether there is any cooldown."""
        return bool(self._open)

    def holding(self, spec: JobSpec) -> Cooldown | None:
        """The cooldown for which a run of this job waits, the longest; None if it may start."""
        if not self._open:
            return None
        holding = [
            cooldown
            for cooldown in self._cooldowns(spec)
            if cooldown.holds(self._now) or cooldown.resource in self._probes
        ]
        return max(holding, key=lambda cooldown: cooldown.until, default=None)

    def is_cooling(self, spec: JobSpec) -> bool:
        """Whether the job uses a resource in a cooldown, though a probe may start."""
        return bool(self._open) and bool(self._cooldowns(spec))

    def let_through(self, run_id: RunId, spec: JobSpec) -> bool:
        """Whether the run may start now; it is then the probe of each of its open cooldowns."""
        if not self._open:
            return True
        if self.holding(spec) is not None:
            return False
        self._probes |= {cooldown.resource: run_id for cooldown in self._cooldowns(spec)}
        return True

    def count(self, spec: JobSpec) -> None:
        """A slot of this job did not run because of the cooldown that holds it."""
        holding = self.holding(spec)
        if holding is not None:
            self._cost[holding.resource] += 1

    def record(self, started: Collection[RunId]) -> None:
        """Write the probes among the runs that start, and the slots that were counted."""
        for resource, run_id in self._probes.items():
            if run_id in started:
                self._tx.run(
                    "take_cooldown_probe",
                    resource=resource,
                    run_id=run_id,
                    now=self._now.timestamp(),
                )
        for resource, count in self._cost.items():
            self._tx.run("count_cooldown_slots", resource=resource, count=count)

    def _cooldowns(self, spec: JobSpec) -> list[Cooldown]:
        names = resources_of(spec, self._agent)
        return [self._open[name] for name in names if name in self._open]


def note_ends(
    tx: Tx,
    ended: Sequence[tuple[Run, JobSpec, Ending | None]],
    agent: Sequence[str],
    *,
    now: datetime,
) -> dict[RunId, datetime]:
    """Open, prolong and close cooldowns after the ends of runs.

    Returns for each run that ended for an outage when its resource may be tried again.
    """
    relevant = [item for item in ended if item[0].is_outage]
    found = read_open(tx)
    if found:
        relevant = list(ended)
    untils: dict[RunId, datetime] = {}
    for run, spec, ending in relevant:
        names = resources_of(spec, agent)
        if run.is_outage and ending is not None and names:
            name = ending.resource if ending.resource in names else names[0]
            found[name] = _after_outage(tx, found.get(name), name, run, ending, now=now)
            untils[run.run_id] = found[name].until
        elif run.status in (RunStatus.SUCCESS, RunStatus.ERROR) and not run.is_outage:
            # The service was used, and what went wrong, if anything, was not its outage.
            for cooldown in _probed_by(run, found):
                close_cooldown(tx, cooldown, Closed.PROBE, now=now)
                del found[cooldown.resource]
        elif run.status in (RunStatus.TIMEOUT, RunStatus.STALLED):
            for cooldown in _probed_by(run, found):
                hung = Ending(kind=EndClass.UNREACHABLE)
                found[cooldown.resource] = _prolong(tx, cooldown, run, hung, now=now)
    return untils


def _probed_by(run: Run, found: Mapping[str, Cooldown]) -> list[Cooldown]:
    return [cooldown for cooldown in found.values() if cooldown.probe_run_id == run.run_id]


def _after_outage(
    tx: Tx, before: Cooldown | None, name: str, run: Run, ending: Ending, *, now: datetime
) -> Cooldown:
    if before is not None:
        return _prolong(tx, before, run, ending, now=now)
    opened = Cooldown.opened(name, run, ending, now=now)
    tx.run("open_cooldown", **_params(opened))
    tx.append(events.cooldown_opened(opened, now=now))
    return opened


def _prolong(tx: Tx, before: Cooldown, run: Run, ending: Ending, *, now: datetime) -> Cooldown:
    after = before.prolonged(run, ending, now=now)
    if after != before:
        tx.run("prolong_cooldown", **_params(after))
        tx.append(events.cooldown_prolonged(after, now=now))
    return replace(after, is_probing=False)


def close_cooldown(
    tx: Tx, cooldown: Cooldown, why: Closed, *, now: datetime, by: str | None = None
) -> bool:
    """Close a cooldown; False when it is closed already."""
    row = tx.one("close_cooldown", resource=cooldown.resource, opened_by=cooldown.opened_by)
    if row is None:
        return False
    closed = replace(cooldown, slots=row[0])
    tx.append(events.cooldown_closed(closed, why, by=by, now=now))
    return True


def _params(cooldown: Cooldown) -> dict[str, object]:
    return {
        **cooldown.record(),
        "opened_by": cooldown.opened_by,
        "probe_run_id": cooldown.probe_run_id,
    }

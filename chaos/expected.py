"""Which slots must there be? Worked out from acknowledgements, with arithmetic of its own.

A job's life is cut at every acknowledged change of its schedule. Between two cuts each slot of its
grid must be accounted for. While such a change was on its way either side of it may have been in
force: slots in that window are allowed, and none is demanded.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil, floor

from chaos.evidence import Record

#: A window of doubt goes this far beyond what the driver's clock says.
_ROUNDING = 1


@dataclass(frozen=True, slots=True)
class Grid:
    """Instants in whole seconds: every `step` from `phase`, or at seconds of the minute."""

    step: int
    #: None: counted from the beginning of each minute.
    phase: int | None
    #: A single instant.
    only: int | None = None

    def holds(self, at: int) -> bool:
        if self.only is not None:
            return at == self.only
        if self.phase is None:
            return at % 60 % self.step == 0
        return (at - self.phase) % self.step == 0

    def between(self, first: int, last: int) -> Iterator[int]:
        """Its instants from `first` to `last`, both included."""
        if self.only is not None:
            return iter([self.only] if first <= self.only <= last else [])
        return (at for at in range(first, last + 1) if self.holds(at))


@dataclass(slots=True)
class Expectation:
    """What is expected of one job."""

    job_id: str
    key: str
    kind: str
    jitter: int
    #: Slots that must be accounted for.
    demanded: set[int] = field(default_factory=set)
    #: Stretches of time in which any slot may be.
    doubts: list[tuple[int, int]] = field(default_factory=list)
    #: Its grid changed where it should not have.
    drifts: list[str] = field(default_factory=list)

    def allows(self, at: int) -> bool:
        """Whether there may be a slot then."""
        return at in self.demanded or any(first <= at <= last for first, last in self.doubts)


def expectations(writes: Iterable[Record], *, until: float) -> dict[str, Expectation]:
    """Every job that was acknowledged, and what is expected of it up to `until`."""
    changes: dict[str, list[tuple[Record, Record | None]]] = {}
    for sent, answered in _paired(writes):
        job_id = sent.get("job_id")
        if sent["operation"] in ("run", "decide"):
            continue
        if sent["operation"] == "create" and answered and answered["phase"] == "acknowledged":
            job_id = answered["answer"]["job"]["job_id"]
        if job_id is not None and (answered is None or answered["phase"] == "acknowledged"):
            changes.setdefault(job_id, []).append((sent, answered))
    return {job_id: _expect(job_id, of_job, until) for job_id, of_job in changes.items()}


def _paired(writes: Iterable[Record]) -> Iterator[tuple[Record, Record | None]]:
    """Each request with its answer, in the order they were sent."""
    sent: dict[str, Record] = {}
    answered: dict[str, Record] = {}
    for record in writes:
        (sent if record["phase"] == "sent" else answered)[record["id"]] = record
    return ((record, answered.get(name)) for name, record in sent.items())


def _expect(job_id: str, changes: list[tuple[Record, Record | None]], until: float) -> Expectation:
    sent, answered = changes[0]
    assert answered is not None
    assert sent["operation"] == "create"
    job = answered["answer"]["job"]
    found = Expectation(job_id, sent["key"], sent["kind"], job["jitter_seconds"])
    phase: int | None = ceil(job["created_at"])
    grid: Grid | None = _grid(job, phase)
    first = floor(job["created_at"]) + 1
    if job["every_seconds"]:
        first = ceil(job["created_at"]) + int(job["every_seconds"])
    for sent, answered in changes[1:]:
        if answered is not None and sent["operation"] == "edit":
            job = answered["answer"]["job"]
            if "every" in sent["fields"]:
                phase = None if job["next_run_at"] is None else int(job["next_run_at"])
            elif phase is None:
                phase = job["next_run_at"]
            found.drifts += _drift(job, phase)
        if not _moves_slots(sent):
            continue
        if grid is not None:
            # What was due before the change was asked for is decided before it is made.
            found.demanded.update(grid.between(first, floor(sent["at"] - found.jitter)))
        end = until if answered is None else answered["at"]
        found.doubts.append((floor(sent["at"]) - found.jitter - _ROUNDING, ceil(end) + _ROUNDING))
        grid = None
        if answered is not None and sent["operation"] == "edit" and job["next_run_at"] is not None:
            first = int(job["next_run_at"])
            grid = _grid(job, phase)
    if grid is not None:
        found.demanded.update(grid.between(first, floor(until - found.jitter)))
    return found


def _moves_slots(sent: Record) -> bool:
    """Whether a request changes which slots there are."""
    if sent["operation"] == "edit":
        return "every" in sent["fields"] or "enabled" in sent["fields"]
    return bool(sent["operation"] == "delete")


def _grid(job: Record, phase: int | None) -> Grid:
    if job["every_seconds"]:
        return Grid(int(job["every_seconds"]), phase=phase)
    if job["cron_expr"] is None:
        return Grid(1, phase=0, only=int(job["run_at"]))
    seconds, *others = job["cron_expr"].split()
    if others == ["*"] * 5 and seconds.startswith("*/"):
        return Grid(int(seconds.removeprefix("*/")), phase=None)
    assert [seconds, *others] == ["*"] * 5, f"no arithmetic for {job['cron_expr']!r}"
    return Grid(60, phase=0)


def _drift(job: Record, phase: int | None) -> list[str]:
    """An interval's grid stays where it was set, whatever is edited, paused and resumed."""
    every, next_at = job["every_seconds"], job["next_run_at"]
    if not every or next_at is None or phase is None or (int(next_at) - phase) % int(every) == 0:
        return []
    return [f"{job['job_id']}: next is {next_at}, not on the grid of {every} s from {phase}"]

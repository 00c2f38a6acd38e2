"""The way of a run from queued to ended, many runs in one transaction."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.beat import BeatReport
from universal_agent.domain.ending import EndClass
from universal_agent.domain.job import QUIET_HOURS, Job, JobSpec
from universal_agent.domain.process import Process
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import WakeMode
from universal_agent.failpoint import Failpoint, passing
from universal_agent.store.encoding import stamp, to_json
from universal_agent.store.rows.runs import RUN_WIDTH, run_from_row
from universal_agent.store.steps.claimable import claimable
from universal_agent.store.steps.claims import claimed_by, workers_of
from universal_agent.store.steps.cooldowns import Gate, note_ends
from universal_agent.store.steps.each import for_each
from universal_agent.store.steps.holds import after_failure, after_outage, after_success
from universal_agent.store.steps.job_versions import spec_of
from universal_agent.store.steps.lanes import Lanes
from universal_agent.store.steps.missed import close_before
from universal_agent.store.steps.slots import set_outcomes
from universal_agent.store.steps.unreadable_runs import close_unreadable
from universal_agent.store.tx import Row, Tx
from universal_agent.store.values import ANY_RUN, Claimed, ClaimRules, Finished, Settled
from universal_agent.store.verbs.beat_reports import keep_report
from universal_agent.store.verbs.beats import acknowledge, deliver_events, queue_wake
from universal_agent.store.verbs.jobs import delete_job, get_job


def claim(
    tx: Tx, *, free_workers: int, process: Process, now: datetime, rules: ClaimRules = ANY_RUN
) -> Settled:
    """Mark queued runs running, in the order of `store/steps/claimable.py`.

    A process that was given up as lost gets none.
    """
    free_workers = workers_of(tx, process, free_workers)
    claimed: list[Claimed] = []
    busy: set[str] = set()
    gate = Gate(tx, rules.agent, now=now)
    for row in claimable(tx, Lanes(tx, free_workers, rules), rules, gate, now=now):
        serial, text, own = row[RUN_WIDTH : RUN_WIDTH + 3]
        try:
            run = run_from_row(row)
            spec = tx.specs.of_run(run, text, own)
        except Exception as error:
            close_unreadable(tx, row, RunStatus.ERROR, error, now=now)
            continue
        if serial and run.source_ref in busy:
            continue
        busy.add(run.source_ref)
        claimed.append(Claimed(run=claimed_by(process, run, now=now), spec=spec))
    started = _start(tx, claimed, process, now=now)
    claimed = [c for c in claimed if c.run.run_id in started]
    gate.record({c.run.run_id for c in claimed})
    set_outcomes(tx, [(c.run, None) for c in claimed])
    tx.append_all([events.run_changed(c.run, c.spec, now=now) for c in claimed])
    claimed = [_with_previous(tx, deliver_events(tx, c)) for c in claimed]
    waiting = tx.one("any_queued")
    return Settled(claimed=tuple(claimed), more_queued=bool(waiting and waiting[0]))


#: Why a run may repeat an interrupted one.
_REPEATS = (Trigger.RETRY, Trigger.APPROVED)


def _with_previous(tx: Tx, claimed: Claimed) -> Claimed:
    """The claimed run with the interrupted run that it repeats, if there is one."""
    run = claimed.run
    if not run.has_slot or run.trigger not in _REPEATS:
        return claimed
    row = tx.one(
        "interrupted_before",
        source=run.source,
        source_ref=run.source_ref,
        scheduled_at=run.scheduled_at.timestamp(),
    )
    return claimed if row is None else replace(claimed, previous_run_id=RunId(row[0]))


def _start(
    tx: Tx, claimed: Sequence[Claimed], process: Process, *, now: datetime
) -> Collection[str]:
    """Mark runs that are still queued running under the process's claim; returns their ids."""
    if not claimed:
        return ()
    rows = tx.all(
        "start_runs",
        run_ids=to_json([c.run.run_id for c in claimed]),
        now=now.timestamp(),
        host=process.host,
        process_id=process.process_id,
    )
    return {run_id for (run_id,) in rows}


def requeue(tx: Tx, runs: Sequence[Run], *, now: datetime) -> None:
    """Put claimed runs that have not begun back into the queue, where the claim still stands.

    A run whose end was requested ends as cancelled.
    """
    process_of = {run.run_id: run.process_id for run in runs}
    found = [row for run in runs if (row := tx.one("running_run", run_id=run.run_id)) is not None]

    def put_back(row: Row) -> None:
        run, reason = run_from_row(row), row[RUN_WIDTH]
        if reason is not None:
            end_cancelled(tx, run, reason, now=now)
            return
        tx.run("requeue_run", run_id=run.run_id)
        run = replace(run, status=RunStatus.QUEUED, started_at=None, host=None, process_id=None)
        set_outcomes(tx, [(run, None)])
        tx.append(events.run_changed(run, spec_of(tx, run), now=now))

    for_each(
        tx,
        "runs",
        [row for row in found if row[RUN_WIDTH - 1] == process_of[row[0]]],
        put_back,
        key=lambda row: row[0],
        put_off=lambda row, error: close_unreadable(tx, row, RunStatus.ERROR, error, now=now),
    )


def end_cancelled(tx: Tx, run: Run, reason: str, *, now: datetime) -> None:
    """Close a run in the state `running` that nobody executes, because its end was requested."""
    run = replace(run, status=RunStatus.CANCELLED, finished_at=now, error=reason)
    end_runs(tx, [run])
    set_outcomes(tx, [(run, None)])
    tx.append(events.run_changed(run, spec_of(tx, run), now=now))


def settle(
    tx: Tx,
    ended: Sequence[Finished],
    *,
    free_workers: int,
    process: Process,
    now: datetime,
    rules: ClaimRules = ANY_RUN,
) -> Settled:
    """Record how runs ended (each once), plan retries, then claim queued runs.

    The worker that an end frees is given away in the same commit.
    """
    finish(tx, ended, rules=rules, now=now)
    return claim(tx, free_workers=free_workers, process=process, now=now, rules=rules)


def finish(
    tx: Tx, ended: Sequence[Finished], *, now: datetime, rules: ClaimRules = ANY_RUN
) -> None:
    """Record how runs ended, and plan their retries.

    A run that is no longer `running` under the claim is left as it is.
    """
    runs = [(_ended_run(end), end.claimed.spec) for end in ended]
    closed = end_runs(tx, [run for run, _ in runs])
    runs = [(run, spec) for run, spec in runs if run.run_id in closed]
    endings = {end.claimed.run.run_id: end.ending for end in ended}
    untils = note_ends(
        tx, [(run, spec, endings[run.run_id]) for run, spec in runs], rules.agent, now=now
    )
    # Most runs succeed and nothing follows: only for the others the job is read.
    jobs = _read_jobs(tx, [run for run, _ in runs if run.status.is_failure])
    retries = [
        _retry_at(tx, run, spec, jobs.get(run.source_ref), untils.get(run.run_id), now)
        for run, spec in runs
    ]
    _count(tx, runs, retries)
    concerned = [
        run for run, spec in runs if run.status.is_failure or spec.delete_after_run
    ] + _well_again(tx, runs)
    jobs = _read_jobs(tx, concerned)
    set_outcomes(tx, [(run, at) for (run, _), at in zip(runs, retries, strict=True)])
    reports = _keep_reports(tx, ended, closed, now=now)
    for run, _ in runs:
        acknowledge(tx, run)
    close_before(tx, [(run, spec) for run, spec in runs if _makes_up(run)], now=now)
    tx.append_all(
        [
            events.run_changed(
                run,
                spec,
                now=now,
                retry_at=at,
                consecutive_failures=_failures(run, jobs.get(run.source_ref)),
                report=reports.get(run.run_id),
            )
            for (run, spec), at in zip(runs, retries, strict=True)
        ]
    )
    for (run, spec), at in zip(runs, retries, strict=True):
        job = jobs.get(run.source_ref)
        if job is not None and _follow_up(tx, run, spec, job, at, now=now):
            jobs[run.source_ref] = None  # held, released or gone: once is enough
    _wake(
        tx,
        ended,
        {run.run_id for (run, _), at in zip(runs, retries, strict=True) if not at},
        beats_off=Source.HEARTBEAT in rules.off,
        now=now,
    )
    passing(Failpoint.BEFORE_FINISH_COMMIT)


def _makes_up(run: Run) -> bool:
    """Whether the run is a beat that has ended, so that it makes up for missed ones.

    One that found quiet hours does not, nor does one that was cancelled.
    """
    if run.source != Source.HEARTBEAT:
        return False
    if run.status is RunStatus.SKIPPED:
        return run.reason != QUIET_HOURS
    return run.status is RunStatus.SUCCESS or run.status.is_failure


def _read_jobs(tx: Tx, runs: Sequence[Run]) -> dict[str, Job | None]:
    """The jobs of these runs as they are now."""
    refs = {run.source_ref for run in runs if not run.brings_spec}
    return {ref: get_job(tx, ref) for ref in sorted(refs)}


def _counts(run: Run) -> bool:
    """Whether a failure of the run counts for its job.

    An extra run by a person does not, nor does the outage of a service.
    """
    return (run.has_slot or run.trigger is Trigger.WAKE) and not run.is_outage


def _count(tx: Tx, runs: Sequence[tuple[Run, JobSpec]], retries: Sequence[datetime | None]) -> None:
    """Count consecutive failed slots, each once, after its last attempt. A success resets the
    count.
    """
    tx.many(
        "count_outcome",
        [
            {"job_id": run.source_ref, "failed": run.status.is_failure}
            for (run, _), retry_at in zip(runs, retries, strict=True)
            if not run.brings_spec
            and (
                run.status is RunStatus.SUCCESS
                or (run.status.is_failure and retry_at is None and _counts(run))
            )
        ],
    )


def _well_again(tx: Tx, runs: Sequence[tuple[Run, JobSpec]]) -> list[Run]:
    """The successful runs whose job is held."""
    well = [run for run, _ in runs if run.status is RunStatus.SUCCESS and not run.brings_spec]
    if not well:
        return []
    refs = to_json([run.source_ref for run in well])
    held = {job_id for (job_id,) in tx.all("held_among", refs=refs)}
    return [run for run in well if run.source_ref in held]


def _keep_reports(
    tx: Tx, ended: Sequence[Finished], closed: Collection[str], *, now: datetime
) -> dict[str, BeatReport]:
    """Insert the reports of beats; returns them by run."""
    reports: dict[str, BeatReport] = {}
    for end in ended:
        run = end.claimed.run
        if end.report is not None and run.run_id in closed and run.source == Source.HEARTBEAT:
            keep_report(tx, _ended_run(end), end.report, now=now)
            reports[run.run_id] = end.report
    return reports


def _wake(
    tx: Tx,
    ended: Sequence[Finished],
    done: Collection[str],
    *,
    beats_off: bool,
    now: datetime,
) -> None:
    """Wake the sessions that are to be woken by the ends of these runs.

    A job wakes sessions of its own user only. While heartbeats are off no beat is queued: the wake
    waits for the next one.
    """
    for end in ended:
        if end.wake is not None and end.claimed.run.run_id in done:
            job = get_job(tx, end.wake.session_id)
            own = job is not None and job.spec.user_id == end.claimed.spec.user_id
            if job is not None and own and job.source is Source.HEARTBEAT:
                wake = replace(end.wake, mode=WakeMode.NEXT) if beats_off else end.wake
                queue_wake(tx, job, wake, now=now)


def _failures(run: Run, job: Job | None) -> int | None:
    """How often the job has failed in a row; None for a run that did not fail."""
    return job.consecutive_failures if job is not None and run.status.is_failure else None


def _ended_run(end: Finished) -> Run:
    end_class = None
    if end.status is RunStatus.ERROR:
        end_class = EndClass.FAILED if end.ending is None else end.ending.kind
    return replace(
        end.claimed.run,
        status=end.status,
        started_at=end.started_at,
        finished_at=end.finished_at,
        error=end.error,
        reason=end.reason,
        exit_code=end.exit_code,
        output_preview=end.output_preview,
        end_class=end_class,
        end_until=None if end.ending is None else end.ending.until,
    )


def end_runs(tx: Tx, runs: Sequence[Run]) -> set[str]:
    """Record how runs ended; returns the ids of those that were `running` under their claim."""
    rows = [
        (
            run.run_id,
            run.status,
            stamp(run.started_at),
            stamp(run.finished_at),
            run.error,
            run.exit_code,
            run.output_preview,
            run.reason,
            run.process_id,
            run.end_class,
            stamp(run.end_until),
        )
        for run in runs
    ]
    return {run_id for (run_id,) in tx.all("end_runs", rows=to_json(rows))}


def _retry_at(
    tx: Tx,
    run: Run,
    spec: JobSpec,
    job: Job | None,
    cooled_at: datetime | None,
    now: datetime,
) -> datetime | None:
    """When the run's slot is tried again; None when it is not.

    An attempt that ended for an outage is not one of the job's `retries`; the next is made when
    the resource may be tried again (`cooled_at`).
    """
    if (
        run.status is not RunStatus.ERROR
        or not run.has_slot
        or spec.policy.retries == 0
        or job is None
        or not job.spec.enabled
    ):
        return None
    spent = run.attempt
    if run.attempt > 1 or run.is_outage:
        row = tx.one(
            "outages_of_slot",
            source=run.source,
            source_ref=run.source_ref,
            scheduled_at=run.scheduled_at.timestamp(),
        )
        assert row is not None
        spent -= row[0]
    if spent > spec.policy.retries:
        return None
    waits = (now + spec.policy.backoff(max(1, spent)), cooled_at, run.end_until)
    return max(wait for wait in waits if wait is not None)


def _follow_up(
    tx: Tx,
    run: Run,
    spec: JobSpec,
    job: Job,
    retry_at: datetime | None,
    *,
    now: datetime,
) -> bool:
    """Hold, release or delete the job after its run. Returns whether it did one of these."""
    if run.is_outage:
        return after_outage(tx, run, job, now=now)
    if run.status.is_failure:
        return _counts(run) and after_failure(tx, run, job, now=now)
    if run.status is RunStatus.SUCCESS:
        if job.spec.is_held:
            after_success(tx, job, now=now)
            return True
        if spec.delete_after_run and run.has_slot:
            return _delete_when_done(tx, run, job, now=now)
    return False


def _delete_when_done(tx: Tx, run: Run, job: Job, *, now: datetime) -> bool:
    """Delete a job whose last slot succeeded."""
    if job.next_run_at is not None or job.version != run.job_version:
        return False
    if tx.one("has_waiting_start", job_id=job.job_id):
        return False  # its slot was moved to a later time
    return delete_job(tx, job, closed_at=job.end(now), now=now)

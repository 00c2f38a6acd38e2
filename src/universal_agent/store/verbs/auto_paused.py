"""Jobs that an earlier version switched off after repeated failures, until they are resumed."""

import json

from universal_agent.domain.job import Job, OffLabel
from universal_agent.store.tx import Tx
from universal_agent.store.verbs.jobs import get_job

_META = "auto_paused"


def auto_paused_jobs(tx: Tx) -> list[Job]:
    """The jobs that the migration found and that are still off for that reason."""
    row = tx.one("get_meta", name=_META)
    jobs = [get_job(tx, job_id) for job_id in ([] if row is None else json.loads(row[0]))]
    return [
        job
        for job in jobs
        if job is not None and not job.spec.enabled and job.spec.off_label is OffLabel.AUTO_PAUSED
    ]


def auto_paused_resumed(tx: Tx) -> None:
    """Forget them: they were resumed."""
    tx.run("drop_meta", name=_META)

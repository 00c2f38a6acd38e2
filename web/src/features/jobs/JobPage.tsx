import { Button } from '@mantine/core';
import { type JSX, useState } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import { useDeleteJob, useRunJob, useToggleJob } from '../../api/actions';
import type { Breaker, Echo, Job } from '../../api/contract';
import { useJob } from '../../api/queries';
import { openDialog } from '../../app/dialogs';
import { useZone } from '../../app/zone';
import { useNow } from '../../lib/now';
import { dayShortClock, duration, instant, maybeInstant, relative, zoneName } from '../../lib/time';
import { Confirm } from '../../ui/Confirm';
import { Details } from '../../ui/Details';
import { Facts } from '../../ui/Facts';
import { Icon } from '../../ui/icons';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { When } from '../../ui/times';
import { namelessRef, useNames } from '../names';
import { tagsOf, timesOf } from './draft';
import { failOnWords } from './failOn';
import styles from './JobPage.module.css';
import { JobState } from './JobStateBadge';
import { isOn } from './jobState';
import { RunDrawer } from './RunDrawer';
import { RunList } from './RunList';
import { Tags } from './Tags';

/** One job: what it does, when it runs, how its runs went. */
export default function JobPage(): JSX.Element {
  const { job_id = '' } = useParams();
  const query = useJob(job_id);
  const [search, setSearch] = useSearchParams();
  const runId = search.get('run');
  const show = (run: string | null) => setSearch(run === null ? {} : { run });
  const job = query.data?.job;
  return (
    <Page
      title={job?.title ?? 'Job'}
      note={job && <JobState job={job} />}
      actions={job && <Actions job={job} />}
    >
      <Loaded query={query} what="the job" lines={8}>
        {(answer) => (
          <div className={styles.columns}>
            <div className={styles.column}>
              <Panel title="Next slots">
                <NextSlots echo={answer.echo} isOn={answer.job.enabled} />
              </Panel>
              <RunList jobId={job_id} onOpen={show} />
            </div>
            <Panel title="Job">
              {answer.breaker && <BreakerNote breaker={answer.breaker} />}
              <JobFacts job={answer.job} />
            </Panel>
          </div>
        )}
      </Loaded>
      {runId !== null && <RunDrawer runId={runId} onClose={() => show(null)} />}
    </Page>
  );
}

function Actions({ job }: { job: Job }): JSX.Element {
  const runJob = useRunJob();
  const toggle = useToggleJob();
  const remove = useDeleteJob();
  const navigate = useNavigate();
  const [isAsking, setAsking] = useState(false);
  return (
    <>
      <Button
        variant="filled"
        leftSection={<Icon name="play" size={14} />}
        loading={runJob.isPending}
        onClick={() => runJob.mutate(job)}
      >
        Run now
      </Button>
      <Button onClick={() => toggle(job)}>{isOn(job) ? 'Pause' : 'Resume'}</Button>
      <Button onClick={() => openDialog({ name: 'job', job_id: job.job_id })}>Edit…</Button>
      <Button onClick={() => setAsking(true)}>Delete…</Button>
      {isAsking && (
        <Confirm
          title={`Delete ${job.title}?`}
          verb="Delete job"
          isBusy={remove.isPending}
          onClose={() => setAsking(false)}
          onConfirm={() => remove.mutate(job, { onSuccess: () => void navigate('/jobs') })}
        >
          It expects no further slots. Its past runs stay in the ledger.
        </Confirm>
      )}
    </>
  );
}

function NextSlots({ echo, isOn }: { echo: Echo; isOn: boolean }): JSX.Element {
  const zone = useZone();
  const now = useNow('second');
  if (!isOn) return <p className={styles.note}>The job is paused: no slot is expected.</p>;
  if (echo.next.length === 0) return <p className={styles.note}>It will not run again.</p>;
  return (
    <ol className={styles.slots}>
      {echo.next.map((slot) => {
        const at = instant(slot.utc);
        return (
          <li key={slot.utc}>
            <b>
              {dayShortClock(at, echo.timezone)} {zoneName(at, echo.timezone)}
            </b>
            <span>{echo.timezone === zone ? '' : `${dayShortClock(at, zone)} here`}</span>
            <span>{relative(at, now)}</span>
          </li>
        );
      })}
    </ol>
  );
}

/** What a job that is paused after failures costs, and when it is tried again. */
function BreakerNote({ breaker }: { breaker: Breaker }): JSX.Element {
  const { since, probe_at, slots } = breaker;
  return (
    <p className={styles.breaker} role="status">
      <b>Paused after failures</b> since <When at={since * 1000} />. {slots}{' '}
      {slots === 1 ? 'slot was' : 'slots were'} skipped.
      {probe_at !== null && (
        <>
          {' '}
          The first slot from <When at={probe_at * 1000} /> on runs as a probe; if it goes well, the
          pause is over.
        </>
      )}
    </p>
  );
}

const ON_MISS = {
  ask: 'ask in stasis',
  run_latest: 'run the latest',
  run_all: 'run all of them',
  skip: 'skip',
};

const timesText = (times: number) =>
  times === 0 ? null : times === 1 ? 'once for a slot' : `up to ${times} times for a slot`;

const OVERLAP = {
  skip: 'skip the slot',
  queue_one: 'let one wait',
  allow: 'run side by side',
  cancel_previous: 'cancel the earlier run',
};

function JobFacts({ job }: { job: Job }): JSX.Element {
  const session = job.metadata.session_id;
  const named = useNames();
  return (
    <div className={styles.details}>
      <pre className={styles.command}>{job.command}</pre>
      <Facts
        of={[
          ['Schedule', job.description],
          ['Zone', job.timezone],
          ['Runner', job.runner],
          ['Model', job.model],
          [
            'Session',
            session === undefined ? null : (
              <Link key="s" to={`/sessions?id=${session}`}>
                {named(session)?.name ?? namelessRef(session)}
              </Link>
            ),
          ],
          ['Owner', job.user_id],
          [
            'When missed',
            `${ON_MISS[job.on_miss]}${job.follows_cadence.includes('on_miss') ? ', by its cadence' : ''}`,
          ],
          ['Side effects', job.side_effects ? 'yes' : null],
          ['When still running', OVERLAP[job.overlap]],
          ['Grace', duration(job.misfire_grace_seconds)],
          ['Useful for', job.useful_for_seconds === null ? null : duration(job.useful_for_seconds)],
          ['Timeout', duration(job.timeout_seconds)],
          [
            'Longest silence',
            job.idle_timeout_seconds === null ? null : duration(job.idle_timeout_seconds),
          ],
          [
            'Retries',
            job.retries === 0
              ? 'none'
              : `${job.retries}, after ${job.retry_backoff.slice(0, job.retries).map(duration).join(', ')}`,
          ],
          ['Jitter', job.jitter_seconds === 0 ? null : `up to ${duration(job.jitter_seconds)}`],
          [
            'Pauses after',
            job.auto_pause_after === 0 ? null : `${job.auto_pause_after} failed slots`,
          ],
          ['Fails on', failOnWords(job.fail_on)],
          ['Waits for a worker', `up to ${duration(job.queue_limit_seconds)}`],
          ['Pool', job.pool],
          ['Light', job.light ? 'yes' : null],
          ['Retries interrupted runs', timesText(timesOf(job.retry_interrupted))],
          ['Priority', job.metadata.priority],
          ['Channel', job.metadata.channel],
          ['Tags', tagsOf(job).length === 0 ? null : <Tags key="t" of={tagsOf(job)} />],
          ['Created', <When key="c" at={maybeInstant(job.created_at)} />],
        ]}
      />
      <Details
        of={[
          ['Id', job.job_id],
          ['Version', String(job.version)],
          ['Workspace', job.workspace_dir],
        ]}
      />
    </div>
  );
}

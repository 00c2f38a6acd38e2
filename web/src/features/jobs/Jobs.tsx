import { ActionIcon, Button, Menu, SegmentedControl } from '@mantine/core';
import { type JSX, useMemo, useRef, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useDeleteJob, useRunJob, useToggleJob } from '../../api/actions';
import type { Job } from '../../api/contract';
import { useJobs } from '../../api/queries';
import { openDialog } from '../../app/dialogs';
import { useNow } from '../../lib/now';
import { prefer, usePreferences } from '../../lib/preferences';
import { useShortcuts } from '../../lib/shortcuts';
import { maybeInstant } from '../../lib/time';
import { Confirm } from '../../ui/Confirm';
import { EmptyState } from '../../ui/EmptyState';
import { FilterBox } from '../../ui/FilterBox';
import { Icon } from '../../ui/icons';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Ago } from '../../ui/times';
import table from '../../ui/table.module.css';
import { isOn, stateOf } from './jobState';
import styles from './Jobs.module.css';
import { JobState } from './JobStateBadge';

const FILTERS = ['all', 'on', 'off', 'trouble'] as const;
type JobFilter = (typeof FILTERS)[number];

const NAMES: Record<JobFilter, string> = {
  all: 'All',
  on: 'Enabled',
  off: 'Paused',
  trouble: 'In trouble',
};

/** Enough for the eye; who has more jobs than this filters. */
const MOST_SHOWN = 300;

function matches(job: Job, filter: JobFilter, q: string): boolean {
  if (filter === 'on' && !job.enabled) return false;
  if (filter === 'off' && job.enabled) return false;
  if (filter === 'trouble' && !stateOf(job).isTrouble) return false;
  const text = `${job.title} ${job.command} ${job.job_id} ${job.description}`.toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Every job: when it runs next, how it went last. */
export default function Jobs(): JSX.Element {
  const query = useJobs();
  const [search, setSearch] = useSearchParams();
  const box = useRef<HTMLInputElement>(null);
  const q = search.get('q') ?? '';
  const filter = FILTERS.find((each) => each === search.get('filter')) ?? 'all';
  const change = (key: string, value: string) =>
    setSearch(
      (params) => {
        if (value === '' || value === 'all') params.delete(key);
        else params.set(key, value);
        return params;
      },
      { replace: true },
    );
  const shortcuts = useMemo(() => ({ '/': () => box.current?.focus() }), []);
  useShortcuts(shortcuts);
  return (
    <Page
      title="Jobs"
      actions={
        <Button variant="filled" onClick={() => openDialog({ name: 'job' })}>
          Create a job
        </Button>
      }
    >
      <div className={styles.bar}>
        <FilterBox
          box={box}
          className={styles.find}
          label="Find a job"
          placeholder="Find a job  /"
          value={q}
          onChange={(text) => change('q', text)}
        />
        <SegmentedControl
          size="xs"
          aria-label="Which jobs"
          value={filter}
          onChange={(value) => change('filter', value)}
          data={FILTERS.map((value) => ({ value, label: NAMES[value] }))}
        />
      </div>
      <Loaded query={query} what="the jobs" lines={10}>
        {(jobs) => (
          <JobTable jobs={jobs.filter((job) => matches(job, filter, q))} all={jobs.length} />
        )}
      </Loaded>
    </Page>
  );
}

function JobTable({ jobs, all }: { jobs: readonly Job[]; all: number }): JSX.Element {
  const [doomed, setDoomed] = useState<Job | null>(null);
  const remove = useDeleteJob();
  if (all === 0) {
    return (
      <Panel title="Jobs">
        <EmptyState
          title="No job yet"
          actions={
            <Button variant="filled" onClick={() => openDialog({ name: 'job' })}>
              Create the first job
            </Button>
          }
        >
          A job is what to run and when: a command, a prompt or a URL on a schedule.
        </EmptyState>
      </Panel>
    );
  }
  return (
    <Panel title="Jobs" count={jobs.length}>
      <table className={table.table}>
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col" className={table.wide}>
              Schedule
            </th>
            <th scope="col">Next</th>
            <th scope="col" className={table.wide}>
              Last
            </th>
            <th scope="col">State</th>
            <th scope="col" className={table.wide}>
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.slice(0, MOST_SHOWN).map((job) => (
            <JobRow key={job.job_id} job={job} onDelete={setDoomed} />
          ))}
        </tbody>
      </table>
      {jobs.length === 0 && <EmptyState title="No job matches" />}
      {jobs.length > MOST_SHOWN && (
        <p className={styles.rest}>{jobs.length - MOST_SHOWN} more: narrow the filter.</p>
      )}
      {doomed && (
        <Confirm
          title={`Delete ${doomed.title}?`}
          verb="Delete job"
          isBusy={remove.isPending}
          onClose={() => setDoomed(null)}
          onConfirm={() => remove.mutate(doomed, { onSettled: () => setDoomed(null) })}
        >
          It expects no further slots. Its past runs stay in the ledger.
        </Confirm>
      )}
    </Panel>
  );
}

function JobRow({ job, onDelete }: { job: Job; onDelete: (job: Job) => void }): JSX.Element {
  const runJob = useRunJob();
  return (
    <tr data-off={!job.enabled}>
      <td>
        <Link to={`/jobs/${job.job_id}`} className={styles.title}>
          {job.title}
        </Link>
        <code className={styles.command}>{job.command}</code>
      </td>
      <td className={table.wide}>
        {job.description}
        {!job.description.includes(job.timezone) && (
          <span className={styles.zone}>{job.timezone}</span>
        )}
      </td>
      <td className={styles.tight}>
        <NextRun job={job} />
      </td>
      <td className={`${table.wide ?? ''} ${styles.tight ?? ''}`}>
        <Ago at={maybeInstant(job.last_run_at)} none="never" />
      </td>
      <td>
        <JobState job={job} />
      </td>
      <td className={`${table.right ?? ''} ${table.wide ?? ''}`}>
        <span className={styles.actions}>
          <Button
            leftSection={<Icon name="play" size={14} />}
            loading={runJob.isPending}
            onClick={() => runJob.mutate(job)}
          >
            Run
          </Button>
          <JobMenu job={job} onDelete={onDelete} />
        </span>
      </td>
    </tr>
  );
}

/** When a job runs next. That an enabled job will never run again is worth a word. */
function NextRun({ job }: { job: Job }): JSX.Element {
  const now = useNow();
  if (!isOn(job)) return <span className="muted">{stateOf(job).label}</span>;
  const at = maybeInstant(job.next_run_at);
  if (at === null) return <b className={styles.never}>will not run again</b>;
  if (at < now) return <span className="muted">now</span>;
  return <Ago at={at} pace="second" />;
}

function JobMenu({ job, onDelete }: { job: Job; onDelete: (job: Job) => void }): JSX.Element {
  const toggle = useToggleJob();
  const { pinned } = usePreferences();
  const key = `cron|${job.job_id}`;
  const isPinned = pinned.includes(key);
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={30} aria-label={`More for ${job.title}`}>
          <Icon name="more" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => openDialog({ name: 'job', job_id: job.job_id })}>Edit…</Menu.Item>
        <Menu.Item onClick={() => toggle(job)}>{isOn(job) ? 'Pause' : 'Resume'}</Menu.Item>
        <Menu.Item
          onClick={() =>
            prefer({ pinned: isPinned ? pinned.filter((each) => each !== key) : [...pinned, key] })
          }
        >
          {isPinned ? 'Unpin from the calendar' : 'Pin as a lane'}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={() => onDelete(job)}>Delete…</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

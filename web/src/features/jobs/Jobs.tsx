import { ActionIcon, Button, Checkbox, Menu, NativeSelect, SegmentedControl } from '@mantine/core';
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
import { type Columns, SortHeader, useSorted } from '../../ui/sorting';
import { Ago } from '../../ui/times';
import table from '../../ui/table.module.css';
import { BulkBar } from './BulkBar';
import { tagsOf } from './draft';
import { isOn, stateOf } from './jobState';
import styles from './Jobs.module.css';
import { JobState } from './JobStateBadge';
import { Tags } from './Tags';

const FILTERS = ['all', 'on', 'off', 'trouble'] as const;
type JobFilter = (typeof FILTERS)[number];

const NAMES: Record<JobFilter, string> = {
  all: 'All',
  on: 'Enabled',
  off: 'Paused',
  trouble: 'In trouble',
};

/** The rows that are drawn at first, before more are requested. */
const STEP = 100;

function matches(job: Job, filter: JobFilter, q: string, tag: string): boolean {
  if (tag !== '' && !tagsOf(job).includes(tag)) return false;
  if (filter === 'on' && !job.enabled) return false;
  if (filter === 'off' && job.enabled) return false;
  if (filter === 'trouble' && !stateOf(job).isTrouble) return false;
  const tags = tagsOf(job).join(' ');
  const text = `${job.title} ${job.command} ${job.job_id} ${job.description} ${tags}`.toLowerCase();
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
  const tag = search.get('tag') ?? '';
  const tags = useMemo(
    () => [...new Set((query.data ?? []).flatMap(tagsOf))].sort((a, b) => a.localeCompare(b)),
    [query.data],
  );
  const shown = useMemo(
    () => (query.data ?? []).filter((job) => matches(job, filter, q, tag)),
    [query.data, filter, q, tag],
  );
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
        {(tags.length > 0 || tag !== '') && (
          <NativeSelect
            size="xs"
            aria-label="Tag"
            value={tag}
            onChange={(event) => change('tag', event.currentTarget.value)}
            data={[
              { value: '', label: 'Every tag' },
              ...[...new Set([...tags, ...(tag === '' ? [] : [tag])])].map((each) => ({
                value: each,
                label: each,
              })),
            ]}
          />
        )}
      </div>
      <Loaded query={query} what="the jobs" lines={10}>
        {(jobs) => <JobTable jobs={shown} all={jobs.length} />}
      </Loaded>
    </Page>
  );
}

const COLUMNS: Columns<Job> = {
  job: (job) => job.title,
  schedule: (job) => job.description,
  next: (job) => (isOn(job) ? job.next_run_at : null),
  last: (job) => job.last_run_at,
  state: (job) => `${stateOf(job).isTrouble ? 0 : 1} ${stateOf(job).label}`,
};

function JobTable({ jobs, all }: { jobs: readonly Job[]; all: number }): JSX.Element {
  const [doomed, setDoomed] = useState<Job | null>(null);
  const [most, setMost] = useState(STEP);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [sorted, sorting] = useSorted(jobs, COLUMNS);
  const remove = useDeleteJob();
  const chosen = jobs.filter((job) => selected.has(job.job_id));
  const select = (which: readonly Job[], isSelected: boolean) =>
    setSelected((before) => {
      const after = new Set(before);
      for (const { job_id } of which) {
        if (isSelected) after.add(job_id);
        else after.delete(job_id);
      }
      return after;
    });
  if (all === 0) return <NoJob />;
  const left = jobs.length - most;
  return (
    <>
      {chosen.length > 0 && <BulkBar jobs={chosen} onClear={() => setSelected(new Set())} />}
      <Panel title="Jobs" count={jobs.length}>
        <table className={`${table.table ?? ''} ${table.cards ?? ''}`}>
          <thead>
            <tr>
              <th scope="col">
                <span className={table.pick}>
                  <Checkbox
                    size="xs"
                    aria-label="Select all"
                    checked={jobs.length > 0 && chosen.length === jobs.length}
                    indeterminate={chosen.length > 0 && chosen.length < jobs.length}
                    onChange={(event) => select(jobs, event.currentTarget.checked)}
                  />
                </span>
              </th>
              <SortHeader sorting={sorting} column="job" label="Job" />
              <SortHeader sorting={sorting} column="schedule" label="Schedule" />
              <SortHeader sorting={sorting} column="next" label="Next" />
              <SortHeader sorting={sorting} column="last" label="Last" className={table.wide} />
              <SortHeader sorting={sorting} column="state" label="State" />
              <th scope="col">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, most).map((job) => (
              <JobRow
                key={job.job_id}
                job={job}
                onDelete={setDoomed}
                isSelected={selected.has(job.job_id)}
                onSelect={(isSelected) => select([job], isSelected)}
              />
            ))}
          </tbody>
        </table>
        {jobs.length === 0 && <EmptyState title="No job matches" />}
        {left > 0 && (
          <p className={styles.rest}>
            <Button onClick={() => setMost(most + STEP * 2)}>
              Show {Math.min(left, STEP * 2)} more of {left.toLocaleString('en-US')}
            </Button>
          </p>
        )}
      </Panel>
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
    </>
  );
}

function NoJob(): JSX.Element {
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

interface JobRowProps {
  job: Job;
  onDelete: (job: Job) => void;
  isSelected: boolean;
  onSelect: (isSelected: boolean) => void;
}

function JobRow({ job, onDelete, isSelected, onSelect }: JobRowProps): JSX.Element {
  const runJob = useRunJob();
  const tags = tagsOf(job);
  return (
    <tr data-off={!job.enabled}>
      <td>
        <span className={table.pick}>
          <Checkbox
            size="xs"
            aria-label={`Select ${job.title}`}
            checked={isSelected}
            onChange={(event) => onSelect(event.currentTarget.checked)}
          />
        </span>
      </td>
      <td>
        <Link to={`/jobs/${job.job_id}`} className={styles.title}>
          {job.title}
        </Link>
        <code className={styles.command}>{job.command}</code>
        {tags.length > 0 && <Tags of={tags} />}
      </td>
      <td className={table.wide}>
        {job.description}
        {!job.description.includes(job.timezone) && (
          <span className={styles.zone}>{job.timezone}</span>
        )}
      </td>
      <td className={`${styles.tight ?? ''} ${styles.next ?? ''}`}>
        <NextRun job={job} />
      </td>
      <td className={`${table.wide ?? ''} ${styles.tight ?? ''}`}>
        <Ago at={maybeInstant(job.last_run_at)} none="never" />
      </td>
      <td className={styles.state}>
        <JobState job={job} />
      </td>
      <td className={`${table.right ?? ''} ${styles.end ?? ''}`}>
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

/** When a job runs next, or that an enabled job will not run again. */
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

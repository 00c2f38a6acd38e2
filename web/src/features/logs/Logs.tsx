import { NativeSelect, Select } from '@mantine/core';
import { type JSX, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import type { Run } from '../../api/contract';
import { useHeartbeats, useJobs, useRun } from '../../api/queries';
import { type RunFilter, RUN_FILTERS, runFilterOf } from '../../api/runFilter';
import { useRunPages } from '../../api/runPages';
import { instant } from '../../lib/time';
import { useNow } from '../../lib/now';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { RunBadge } from '../../ui/StatusBadge';
import { When } from '../../ui/times';
import { VirtualList } from '../../ui/VirtualList';
import { namelessRef, useNames } from '../names';
import { beatName } from '../overview/freshness';
import styles from './Logs.module.css';
import { LogTail } from './LogTail';

/** When a run started, or is to start: a late run belongs to the time at which it ran. */
const timeOf = (run: Run): number => instant(run.started_at ?? run.scheduled_at);

const isOpen = (run: Run) => run.status === 'running' || run.status === 'queued';

const NAMES: Record<RunFilter, string> = {
  all: 'All runs',
  failed: 'Failed',
  interrupted: 'Interrupted',
  open: 'Running or queued',
  success: 'Succeeded',
  skipped: 'Skipped',
};

const HOUR = 3_600_000;

/** Every run and what it printed, while it prints it. */
export default function Logs(): JSX.Element {
  const [search, setSearch] = useSearchParams();
  const named = useNames();
  const now = useNow();
  const filter = runFilterOf(search.get('status'));
  const job_id = search.get('job');
  const hours = Number(search.get('hours') ?? 0);
  const query = useRunPages({ job_id, filter });
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const all = useMemo(() => data?.pages.flatMap((page) => page.runs) ?? [], [data]);
  const since = hours > 0 ? now - hours * HOUR : 0;
  const runs = useMemo(() => all.filter((run) => timeOf(run) >= since), [all, since]);
  const last = all.at(-1);
  const hasMore = hasNextPage && (last === undefined || timeOf(last) >= since);
  const session = search.get('session');
  const first = session === null ? (runs.find(isOpen) ?? runs[0]) : undefined;
  const chosen = search.get('run') ?? first?.run_id ?? null;
  const titleOf = (run: Run) => named(run.job_id)?.name ?? namelessRef(run.job_id);
  const change = (part: Record<string, string | null>) =>
    setSearch((params) => {
      for (const [key, value] of Object.entries(part)) {
        if (value === null || value === 'all') params.delete(key);
        else params.set(key, value);
      }
      return params;
    });
  return (
    <Page title="Logs" note={hours > 0 ? `Runs of the last ${hours} hours.` : 'What runs print.'}>
      <div className={styles.bar}>
        <JobPicker value={job_id} onChange={(job) => change({ job, run: null, session: null })} />
        <NativeSelect
          size="xs"
          aria-label="Which runs"
          data={RUN_FILTERS.map((value) => ({ value, label: NAMES[value] }))}
          value={filter}
          onChange={(event) =>
            change({ status: event.currentTarget.value, run: null, session: null })
          }
        />
        <NativeSelect
          size="xs"
          aria-label="Since when"
          data={PERIODS}
          value={hours > 0 ? String(hours) : 'all'}
          onChange={(event) => change({ hours: event.currentTarget.value, run: null })}
        />
      </div>
      <div className={styles.columns}>
        <Panel title="Runs" count={data && (hasMore ? `${runs.length}+` : runs.length)}>
          <Loaded query={query} what="the runs" lines={10}>
            {() =>
              runs.length === 0 ? (
                <EmptyState title={filter === 'all' ? 'Nothing has run yet' : 'No such run'} />
              ) : (
                <VirtualList
                  items={runs}
                  label="Runs, newest first"
                  rowHeight={46}
                  height="calc(100vh - 240px)"
                  itemKey={(run) => run.run_id}
                  onEnd={hasMore && !isFetchingNextPage ? () => void fetchNextPage() : undefined}
                >
                  {(run) => (
                    <button
                      type="button"
                      className={styles.run}
                      aria-current={session === null && run.run_id === chosen}
                      onClick={() => change({ run: run.run_id, session: null })}
                    >
                      <span className={styles.title}>{titleOf(run)}</span>
                      <span className={styles.second}>
                        <When at={timeOf(run)} />
                        {run.attempt > 1 && <span>attempt {run.attempt}</span>}
                        <RunBadge status={run.status} />
                      </span>
                    </button>
                  )}
                </VirtualList>
              )
            }
          </Loaded>
        </Panel>
        {session !== null ? (
          <Panel title={named(session)?.name ?? namelessRef(session)}>
            <LogTail source={{ session_id: session }} mayGrow height="calc(100vh - 290px)" />
          </Panel>
        ) : (
          chosen !== null && <RunLog runId={chosen} titleOf={titleOf} />
        )}
      </div>
    </Page>
  );
}

const PERIODS = [
  { value: 'all', label: 'Any time' },
  { value: '1', label: 'Last hour' },
  { value: '24', label: 'Last 24 hours' },
  { value: '168', label: 'Last 7 days' },
];

interface JobPickerProps {
  value: string | null;
  onChange: (job: string | null) => void;
}

/** Jobs and heartbeats by name. */
function JobPicker({ value, onChange }: JobPickerProps): JSX.Element {
  const { data: jobs } = useJobs();
  const { data: beats } = useHeartbeats();
  const choices = useMemo(() => {
    const found = (jobs ?? []).map(({ job_id, title }) => ({ value: job_id, label: title }));
    const hearts = Object.values(beats ?? {}).map((beat) => ({
      value: beat.session_id,
      label: `Heartbeat of ${beatName(beat)}`,
    }));
    const known = [...found, ...hearts].sort((a, b) => a.label.localeCompare(b.label));
    const isKnown = value === null || known.some((each) => each.value === value);
    return isKnown ? known : [{ value, label: namelessRef(value) }, ...known];
  }, [jobs, beats, value]);
  return (
    <Select
      size="xs"
      className={styles.picker}
      aria-label="Runs of which job"
      placeholder="Every job"
      data={choices}
      value={value}
      onChange={onChange}
      searchable
      clearable
      limit={100}
      nothingFoundMessage="No such job"
      clearButtonProps={{ 'aria-label': 'Every job' }}
    />
  );
}

function RunLog({ runId, titleOf }: { runId: string; titleOf: (run: Run) => string }): JSX.Element {
  const { data: run } = useRun(runId);
  return (
    <Panel title={run ? titleOf(run) : 'Run'} actions={run && <RunBadge status={run.status} />}>
      {run?.error != null && <p className={styles.failure}>{run.error}</p>}
      <LogTail
        source={{ run_id: runId }}
        mayGrow={run ? isOpen(run) : false}
        height="calc(100vh - 290px)"
      />
    </Panel>
  );
}

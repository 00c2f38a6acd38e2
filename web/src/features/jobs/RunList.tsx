import { SegmentedControl } from '@mantine/core';
import { type JSX, useMemo, useState } from 'react';
import type { Run } from '../../api/contract';
import { type RunFilter, runFilterOf } from '../../api/runFilter';
import { useRunPages } from '../../api/runPages';
import { plainText } from '../../lib/plainText';
import { elapsed, maybeInstant } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { RunBadge } from '../../ui/StatusBadge';
import { When } from '../../ui/times';
import { VirtualList } from '../../ui/VirtualList';
import styles from './JobPage.module.css';

/** A job's runs, newest first. */
export function RunList(props: { jobId: string; onOpen: (runId: string) => void }): JSX.Element {
  const { jobId, onOpen } = props;
  const [filter, setFilter] = useState<RunFilter>('all');
  const query = useRunPages({ job_id: jobId, filter });
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const runs = useMemo(() => data?.pages.flatMap((page) => page.runs) ?? [], [data]);
  return (
    <Panel
      title="Runs"
      count={data && (hasNextPage ? `${runs.length}+` : runs.length)}
      actions={
        <SegmentedControl
          size="xs"
          aria-label="Which runs"
          value={filter}
          onChange={(value) => setFilter(runFilterOf(value))}
          data={[
            { value: 'all', label: 'All' },
            { value: 'failed', label: 'Failed' },
            { value: 'interrupted', label: 'Interrupted' },
          ]}
        />
      }
    >
      <Loaded query={query} what="the runs" lines={8}>
        {() =>
          runs.length === 0 ? (
            <EmptyState title={filter === 'all' ? 'It has not run yet' : 'No such run'} />
          ) : (
            <VirtualList
              items={runs}
              label="Runs, newest first"
              rowHeight={40}
              height={`min(${runs.length * 40}px, 60vh)`}
              onEnd={hasNextPage && !isFetchingNextPage ? () => void fetchNextPage() : undefined}
              itemKey={(run) => run.run_id}
            >
              {(run) => <RunRow run={run} onOpen={onOpen} />}
            </VirtualList>
          )
        }
      </Loaded>
    </Panel>
  );
}

function RunRow({ run, onOpen }: { run: Run; onOpen: (runId: string) => void }): JSX.Element {
  const said = run.error ?? run.reason ?? run.output_preview.split('\n')[0] ?? '';
  const lag = run.started_at === null ? null : run.started_at - run.scheduled_at;
  return (
    <button type="button" className={styles.run} onClick={() => onOpen(run.run_id)}>
      <When at={maybeInstant(run.scheduled_at)} />
      <RunBadge status={run.status} />
      <span className={styles.output}>{plainText(said)}</span>
      <span className={styles.figure} title="How late it started">
        {lag !== null && lag >= 1 ? `${elapsed(lag)} late` : ''}
      </span>
      <span className={styles.figure}>
        {run.duration_seconds === null ? '' : elapsed(run.duration_seconds)}
      </span>
    </button>
  );
}

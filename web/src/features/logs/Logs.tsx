import type { JSX } from 'react';
import { useSearchParams } from 'react-router';
import type { Run } from '../../api/contract';
import { useJobs, useRun, useRuns } from '../../api/queries';
import { maybeInstant } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { RunBadge } from '../../ui/StatusBadge';
import { When } from '../../ui/times';
import { VirtualList } from '../../ui/VirtualList';
import styles from './Logs.module.css';
import { LogTail } from './LogTail';

const isOpen = (run: Run) => run.status === 'running' || run.status === 'queued';

/** What runs print, while they print it. */
export default function Logs(): JSX.Element {
  const [search, setSearch] = useSearchParams();
  const runs = useRuns();
  const { data: jobs } = useJobs();
  const titles = new Map((jobs ?? []).map((job) => [job.job_id, job.title]));
  const titleOf = (run: Run) => titles.get(run.job_id) ?? run.job_id;
  const named = search.get('run');
  const chosen = named ?? (runs.data?.find(isOpen) ?? runs.data?.[0])?.run_id ?? null;
  const session = search.get('session');
  const choose = (runId: string) => setSearch({ run: runId });
  return (
    <Page title="Logs" note="What runs print, as text.">
      <div className={styles.columns}>
        <Panel title="Runs" count={runs.data?.length}>
          <Loaded query={runs} what="the runs" lines={10}>
            {(all) =>
              all.length === 0 ? (
                <EmptyState title="Nothing has run yet" />
              ) : (
                <VirtualList
                  items={all}
                  label="Runs, newest first"
                  rowHeight={46}
                  height="calc(100vh - 196px)"
                  itemKey={(run) => run.run_id}
                >
                  {(run) => (
                    <button
                      type="button"
                      className={styles.run}
                      aria-current={session === null && run.run_id === chosen}
                      onClick={() => choose(run.run_id)}
                    >
                      <span className={styles.title}>{titleOf(run)}</span>
                      <span className={styles.second}>
                        <When at={maybeInstant(run.started_at ?? run.scheduled_at)} />
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
          <Panel title={`Session ${session}`}>
            <LogTail source={{ session_id: session }} mayGrow height="calc(100vh - 246px)" />
          </Panel>
        ) : (
          chosen !== null && <RunLog runId={chosen} titleOf={titleOf} />
        )}
      </div>
    </Page>
  );
}

function RunLog({ runId, titleOf }: { runId: string; titleOf: (run: Run) => string }): JSX.Element {
  const { data: run } = useRun(runId);
  return (
    <Panel title={run ? titleOf(run) : 'Run'} actions={run && <RunBadge status={run.status} />}>
      <LogTail
        source={{ run_id: runId }}
        mayGrow={run ? isOpen(run) : false}
        height="calc(100vh - 246px)"
      />
    </Panel>
  );
}

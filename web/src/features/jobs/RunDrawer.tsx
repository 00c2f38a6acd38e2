import { Button } from '@mantine/core';
import type { JSX } from 'react';
import { useCancelRun } from '../../api/actions';
import type { Run } from '../../api/contract';
import { useRun } from '../../api/queries';
import { elapsed, instant, maybeInstant } from '../../lib/time';
import { Details } from '../../ui/Details';
import { Facts } from '../../ui/Facts';
import { Loaded } from '../../ui/Loaded';
import { RunBadge } from '../../ui/StatusBadge';
import { Ago, When } from '../../ui/times';
import { Drawer } from '../../ui/overlays';
import { LogTail } from '../logs/LogTail';
import styles from './JobPage.module.css';

const isOpen = (run: Run) => run.status === 'running' || run.status === 'queued';

/** One run and its output, which grows while it runs. */
export function RunDrawer(props: { runId: string; onClose: () => void }): JSX.Element {
  const { runId, onClose } = props;
  const query = useRun(runId);
  return (
    <Drawer onClose={onClose} title="Run" size={720}>
      <Loaded query={query} what="the run" lines={8}>
        {(run) => (
          <div className={styles.drawer}>
            <RunFacts run={run} />
            <div className={styles.log}>
              <LogTail source={{ run_id: runId }} mayGrow={isOpen(run)} height="52vh" />
            </div>
          </div>
        )}
      </Loaded>
    </Drawer>
  );
}

/** Why it failed, where a service is at fault rather than the job. */
function endWords(run: Run): string | null {
  return run.end_class === null || run.end_class === 'failed'
    ? null
    : run.end_class.replace('_', ' ');
}

const SIGN = { start: 'its start', output: 'output', progress: 'progress' } as const;

/** The latest sign of life of the run, and how long ago it was. */
function LastSign({ of: run }: { of: Run }): JSX.Element | null {
  if (run.last_sign_of_life_at === null || run.last_sign_of_life === null) return null;
  return (
    <>
      {SIGN[run.last_sign_of_life]}, <Ago at={instant(run.last_sign_of_life_at)} />
    </>
  );
}

function RunFacts({ run }: { run: Run }): JSX.Element {
  const cancel = useCancelRun();
  const lag = run.started_at === null ? null : run.started_at - run.scheduled_at;
  return (
    <>
      <Facts
        of={[
          ['Status', <RunBadge key="s" status={run.status} />],
          ['Error', run.error],
          ['Reason', run.reason],
          ['Class', endWords(run)],
          [
            'Not before',
            run.end_until === null ? null : <When key="u" at={maybeInstant(run.end_until)} />,
          ],
          ['Scheduled', <When key="w" at={maybeInstant(run.scheduled_at)} />],
          ['Started', lag === null ? null : `${elapsed(Math.max(0, lag))} after its time`],
          [
            'Last sign of life',
            run.last_sign_of_life_at === null ? null : <LastSign key="l" of={run} />,
          ],
          ['Took', run.duration_seconds === null ? null : elapsed(run.duration_seconds)],
          ['Exit code', run.exit_code],
          ['Trigger', run.trigger],
          ['Attempt', run.attempt > 1 ? run.attempt : null],
        ]}
      />
      <Details
        of={[
          ['Id', run.run_id],
          ['Host', run.host],
        ]}
      />
      {isOpen(run) && (
        <div>
          <Button loading={cancel.isPending} onClick={() => cancel.mutate(run.run_id)}>
            Cancel this run
          </Button>
        </div>
      )}
    </>
  );
}

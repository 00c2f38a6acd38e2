import { Button } from '@mantine/core';
import { type JSX, useState } from 'react';
import { Link } from 'react-router';
import type { Heartbeat, HeartbeatSummary, Run } from '../../api/contract';
import { useSession } from '../../api/queries';
import {
  useCancelSession,
  useDeleteSession,
  useSwitchBeats,
  useWake,
} from '../../api/sessionActions';
import { plainText } from '../../lib/plainText';
import { maybeInstant } from '../../lib/time';
import { Confirm } from '../../ui/Confirm';
import { Details } from '../../ui/Details';
import { Facts } from '../../ui/Facts';
import { RunBadge } from '../../ui/StatusBadge';
import { Ago, When } from '../../ui/times';
import { Drawer } from '../../ui/overlays';
import { cadence } from '../overview/freshness';
import { HeartbeatDialog } from './HeartbeatDialog';
import type { SessionRow } from './rows';
import styles from './Sessions.module.css';
import { BeatState } from './Sessions';

const SUPPRESSED: Record<string, string> = {
  delivery_none: 'reports are switched off',
  ok_suppressed: 'all is well',
  alerts_suppressed: 'alerts are switched off',
  dedupe: 'the same was reported before',
  no_targets: 'no session is named',
  no_connected_targets: 'no client is connected',
};

/** All about one session. */
export function SessionDrawer(props: { row: SessionRow; onClose: () => void }): JSX.Element {
  const { row, onClose } = props;
  const { session_id, name, session, beat } = row;
  const [asked, setAsked] = useState<'delete' | 'heartbeat' | null>(null);
  const wake = useWake();
  const cancel = useCancelSession();
  const remove = useDeleteSession();
  const turn = useSwitchBeats();
  const isOn = beat?.enabled !== false && beat?.off_label == null;
  return (
    <Drawer onClose={onClose} title={name} size={480}>
      <Facts
        of={[
          ['Owner', session?.user_id],
          ['State', session?.status],
          ['Clients', session?.clients],
          ['Last active', session && <Ago key="a" at={maybeInstant(session.last_active_at)} />],
          ['Heartbeat', <BeatState key="b" beat={beat} />],
        ]}
      />
      {beat && <BeatFacts beat={beat} />}
      {beat?.last_summary && <Summary summary={beat.last_summary} />}
      <div className={styles.buttons}>
        {beat && (
          <>
            <Button variant="filled" onClick={() => setAsked('heartbeat')}>
              Set up heartbeat…
            </Button>
            <Button onClick={() => wake.mutate({ session_id, mode: 'now' })}>Wake now</Button>
            <Button onClick={() => wake.mutate({ session_id, mode: 'next' })}>
              Wake with next
            </Button>
            <Button
              loading={turn.isPending}
              onClick={() => turn.mutate({ session_id, isOn: !isOn })}
            >
              {isOn ? 'Pause heartbeat' : 'Resume heartbeat'}
            </Button>
          </>
        )}
        {beat?.busy === true && (
          <Button loading={cancel.isPending} onClick={() => cancel.mutate(session_id)}>
            Cancel the run
          </Button>
        )}
        {session && <Button onClick={() => setAsked('delete')}>Delete…</Button>}
      </div>
      {session && <Runs session_id={session_id} />}
      <Details
        of={[
          ['Id', session_id],
          ['Workspace', session?.workspace_dir],
          ['Source', session?.source],
        ]}
      />
      {asked === 'heartbeat' && (
        <HeartbeatDialog session_id={session_id} name={name} onClose={() => setAsked(null)} />
      )}
      {asked === 'delete' && (
        <Confirm
          title={`Delete the session ${name}?`}
          verb="Delete session"
          isBusy={remove.isPending}
          onClose={() => setAsked(null)}
          onConfirm={() => remove.mutate(session_id, { onSuccess: onClose })}
        >
          Its heartbeat ends with it. Its folder and its history stay, and so do jobs that are bound
          to it.
        </Confirm>
      )}
    </Drawer>
  );
}

function BeatFacts({ beat }: { beat: Heartbeat }): JSX.Element {
  const { schedule, delivery } = beat;
  return (
    <Facts
      of={[
        ['Beats', cadence(beat)],
        ['Active hours', schedule?.active_hours],
        ['Zone', schedule?.timezone],
        ['Reports go', delivery?.mode === 'none' ? 'to nobody' : delivery?.mode],
        ['Last beat', <Ago key="l" at={maybeInstant(beat.last_run)} none="never" />],
        ['Next beat', <When key="n" at={maybeInstant(beat.next_run)} />],
        ['Configuration', beat.config_error && `not in force: ${beat.config_error}`],
      ]}
    />
  );
}

function Summary({ summary }: { summary: HeartbeatSummary }): JSX.Element {
  const { suppressed_reason, artifacts, delivery, ok_only } = summary;
  const made = artifacts
    ? artifacts.writes.length + artifacts.work_products.length + artifacts.bash_commands.length
    : 0;
  return (
    <>
      <p className={styles.summary} data-alert={!ok_only}>
        {plainText(summary.text) || 'The report is empty.'}
      </p>
      <Facts
        of={[
          [
            'Reported',
            summary.sent
              ? (delivery?.connected_targets.join(', ') ?? 'yes')
              : `no: ${SUPPRESSED[suppressed_reason ?? ''] ?? suppressed_reason ?? 'not sent'}`,
          ],
          [
            'Did',
            artifacts && made > 0
              ? `${artifacts.writes.length} writes, ${artifacts.work_products.length} products, ${artifacts.bash_commands.length} commands`
              : null,
          ],
        ]}
      />
    </>
  );
}

const MOST_RUNS = 8;

/** Its latest turns and beats; each leads to its log. */
function Runs({ session_id }: { session_id: string }): JSX.Element | null {
  const { data } = useSession(session_id, { enabled: true });
  const runs = data?.runs ?? [];
  if (runs.length === 0) return null;
  return (
    <section className={styles.runs} aria-label="Latest runs">
      <h3>Latest runs</h3>
      <ul>
        {runs.slice(0, MOST_RUNS).map((run) => (
          <SessionRun key={run.run_id} run={run} />
        ))}
      </ul>
      <Link to={`/logs?job=${encodeURIComponent(session_id)}`}>All runs and logs</Link>
    </section>
  );
}

function SessionRun({ run }: { run: Run }): JSX.Element {
  return (
    <li>
      <Link to={`/logs?job=${run.job_id}&run=${run.run_id}`}>
        <When at={maybeInstant(run.started_at ?? run.scheduled_at)} />
      </Link>
      <RunBadge status={run.status} />
      <span className="clip muted">{plainText(run.error ?? run.reason ?? '')}</span>
    </li>
  );
}

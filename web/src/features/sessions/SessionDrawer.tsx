import { Button } from '@mantine/core';
import { type JSX, useState } from 'react';
import { Link } from 'react-router';
import { useCancelSession, useDeleteSession, useWake } from '../../api/actions';
import type { Heartbeat, HeartbeatSummary } from '../../api/contract';
import { plainText } from '../../lib/plainText';
import { maybeInstant } from '../../lib/time';
import { Confirm } from '../../ui/Confirm';
import { Facts } from '../../ui/Facts';
import { Ago, When } from '../../ui/times';
import { Drawer } from '../../ui/overlays';
import styles from './Sessions.module.css';
import { beatName } from '../overview/freshness';
import { BeatState, type SessionRow } from './Sessions';

const SUPPRESSED: Record<string, string> = {
  delivery_none: 'delivery is switched off',
  ok_suppressed: 'all was well',
  alerts_suppressed: 'alerts are switched off',
  dedupe: 'the same was said before',
  no_targets: 'there is nobody to tell',
  no_connected_targets: 'nobody is connected',
};

/** All about one session. */
export function SessionDrawer(props: { row: SessionRow; onClose: () => void }): JSX.Element {
  const { row, onClose } = props;
  const { session_id, session, beat } = row;
  const [isAsking, setAsking] = useState(false);
  const wake = useWake();
  const cancel = useCancelSession();
  const remove = useDeleteSession();
  return (
    <Drawer onClose={onClose} title={beat ? beatName(beat) : session_id} size={460}>
      <Facts
        of={[
          ['Id', <code key="i">{session_id}</code>],
          ['Owner', session?.user_id],
          ['Workspace', session && <code key="w">{session.workspace_dir}</code>],
          ['Status', session?.status],
          ['Source', session?.source],
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
            <Button variant="filled" onClick={() => wake.mutate({ session_id, mode: 'now' })}>
              Wake now
            </Button>
            <Button onClick={() => wake.mutate({ session_id, mode: 'next' })}>
              Wake with next
            </Button>
          </>
        )}
        {beat?.busy === true && (
          <Button loading={cancel.isPending} onClick={() => cancel.mutate(session_id)}>
            Cancel what it does
          </Button>
        )}
        <Link to={`/logs?session=${encodeURIComponent(session_id)}`}>Logs</Link>
        {session && <Button onClick={() => setAsking(true)}>Delete…</Button>}
      </div>
      {isAsking && (
        <Confirm
          title={`Delete session ${session_id}?`}
          verb="Delete session"
          isBusy={remove.isPending}
          onClose={() => setAsking(false)}
          onConfirm={() => remove.mutate(session_id, { onSuccess: onClose })}
        >
          Its heartbeat ends with it. Jobs that are bound to it stay.
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
        ['Beats', schedule?.description],
        ['Active hours', schedule?.active_hours],
        ['Zone', schedule?.timezone],
        ['Delivery', delivery?.mode],
        ['Last run', <Ago key="l" at={maybeInstant(beat.last_run)} none="never" />],
        ['Its HEARTBEAT.json', beat.config_error && `not in force: ${beat.config_error}`],
        ['Next run', <When key="n" at={maybeInstant(beat.next_run)} />],
      ]}
    />
  );
}

function Summary({ summary }: { summary: HeartbeatSummary }): JSX.Element {
  const { suppressed_reason, artifacts, delivery } = summary;
  const made = artifacts
    ? artifacts.writes.length + artifacts.work_products.length + artifacts.bash_commands.length
    : 0;
  return (
    <>
      <p className={styles.summary}>{plainText(summary.text) || 'It said nothing.'}</p>
      <Facts
        of={[
          [
            'Told',
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

import { Button, Popover } from '@mantine/core';
import type { JSX } from 'react';
import { Link } from 'react-router';
import { useNow } from '../lib/now';
import { type Connection, useConnection } from '../api/health';
import { duration } from '../lib/time';
import type { PushSnapshot } from './client';
import { usePush, usePushClient } from './context';
import type { Phase } from './machine';
import { Pill } from './PushPill';
import styles from './PushPill.module.css';
import { useDataAge } from './useDataAge';

/** The pill with what is behind it; loaded at the first click, and open then. */
export default function PushPopover({ phase }: { phase: Phase }): JSX.Element {
  return (
    <Popover defaultOpened trapFocus returnFocus position="bottom-end" width={300} shadow="md">
      <Popover.Target>
        <Pill phase={phase} />
      </Popover.Target>
      <Popover.Dropdown>
        <Details phase={phase} />
      </Popover.Dropdown>
    </Popover>
  );
}

const OFF_REASONS = {
  server: 'The gateway has the push stream switched off. The page asks at intervals.',
  local: 'Push is switched off in this browser. The page asks at intervals.',
  absent: 'The gateway offers no push stream. The page asks at intervals.',
};

function explain(connection: Connection, push: PushSnapshot, phase: Phase): string {
  if (connection.kind === 'lost')
    return 'The gateway does not answer. It is asked every 3 seconds.';
  if (connection.kind === 'failing') {
    return `The gateway cannot be relied on: ${connection.reasons.join('; ')}.`;
  }
  switch (phase) {
    case 'live':
      return push.is_leader
        ? 'This tab reads the event stream; other tabs of this browser share it.'
        : 'Another tab of this browser reads the event stream and shares it.';
    case 'connecting':
      return 'The position in the event log is being read.';
    case 'polling':
      return 'The event stream is interrupted. The page asks at intervals until it is back.';
    case 'off':
      return OFF_REASONS[push.off_reason ?? 'server'];
    case 'signed_out':
      return 'The gateway wants its token.';
  }
}

function Details({ phase }: { phase: Phase }): JSX.Element {
  const push = usePush();
  const connection = useConnection();
  const client = usePushClient();
  const now = useNow('second');
  const age = useDataAge();
  return (
    <div className={styles.details}>
      <p>{explain(connection, push, phase)}</p>
      <dl>
        <dt>Calendar version</dt>
        <dd>{push.projection_version ?? '–'}</dd>
        <dt>Last event</dt>
        <dd>{push.last_seq === null ? '–' : `number ${push.last_seq.toLocaleString('en-US')}`}</dd>
        <dt>Data age</dt>
        <dd>{age === null ? '–' : duration(age)}</dd>
        {push.retry_at !== null && (
          <>
            <dt>Next attempt</dt>
            <dd>in {duration(Math.max(0, push.retry_at - now) / 1000)}</dd>
          </>
        )}
      </dl>
      <div className={styles.row}>
        {phase === 'polling' && (
          <Button onClick={() => client.send({ type: 'retry' })}>Try now</Button>
        )}
        <Link to="/settings">Settings</Link>
      </div>
    </div>
  );
}

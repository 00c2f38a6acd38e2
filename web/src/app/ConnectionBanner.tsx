import { Button } from '@mantine/core';
import type { JSX } from 'react';
import { type Connection, useHealth } from '../api/health';
import { useNow } from '../lib/now';
import { duration } from '../lib/time';
import { At } from '../ui/times';
import styles from './ConnectionBanner.module.css';

/** What is wrong with the gateway, above every page: nothing while all is well. */
export function ConnectionBanner({ connection }: { connection: Connection }): JSX.Element | null {
  const { refetch, isFetching } = useHealth();
  if (connection.kind === 'ok') return null;
  return (
    <div className={styles.banner} data-kind={connection.kind} role="alert">
      <p>
        {connection.kind === 'lost' ? (
          <Lost since={connection.since} />
        ) : (
          <>
            <b>The gateway is failing.</b> {connection.reasons.join('; ')}. What is shown may be
            incomplete.
          </>
        )}
      </p>
      <Button loading={isFetching} onClick={() => void refetch()}>
        Try now
      </Button>
    </div>
  );
}

function Lost({ since }: { since: number | null }): JSX.Element {
  const now = useNow('second');
  if (since === null) return <b>The gateway does not answer.</b>;
  return (
    <>
      <b>The gateway has not answered for {duration(Math.max(0, now - since) / 1000)}.</b> What is
      shown is from <At at={since} />.
    </>
  );
}

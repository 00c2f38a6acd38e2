import { Button } from '@mantine/core';
import type { JSX, ReactNode } from 'react';
import { ApiError, messageOf } from '../api/errors';
import { useConnection } from '../api/health';
import { EmptyState } from './EmptyState';
import styles from './states.module.css';
import { At } from './times';

interface Answer<T> {
  data: T | undefined;
  error: Error | null;
  isPending: boolean;
  dataUpdatedAt: number;
  refetch: () => unknown;
}

interface LoadedProps<T> {
  query: Answer<T>;
  /** What this is, in a few words: "the jobs". */
  what: string;
  lines?: number;
  children: (data: T) => ReactNode;
}

/** An answer's content. What was read before stays in view, marked when it is no longer current. */
export function Loaded<T>({ query, what, lines = 4, children }: LoadedProps<T>): ReactNode {
  const { data, error, dataUpdatedAt } = query;
  if (data !== undefined) {
    return (
      <>
        {error && <Stale error={error} at={dataUpdatedAt} />}
        {children(data)}
      </>
    );
  }
  if (error) return <Failure error={error} what={what} retry={() => void query.refetch()} />;
  return <Waiting lines={lines} />;
}

/** Why the data is old. When the whole gateway is unreachable, the banner alone shows it. */
function Stale({ error, at }: { error: Error; at: number }): JSX.Element | null {
  const { kind } = useConnection();
  if (kind === 'lost') return null;
  return (
    <p className={styles.stale} role="status">
      Not current: as of <At at={at} />. {messageOf(error)}
    </p>
  );
}

export function Waiting({ lines }: { lines: number }): JSX.Element {
  return (
    <div className={styles.waiting} role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => (
        <i key={index} />
      ))}
    </div>
  );
}

interface FailureProps {
  error: Error;
  what: string;
  retry: () => void;
}

/** Why something could not be read. That a part is switched off is said calmly. */
export function Failure({ error, what, retry }: FailureProps): JSX.Element {
  const isAbsent = error instanceof ApiError && error.isAbsent;
  return (
    <EmptyState
      title={isAbsent ? 'Not available right now' : `Could not read ${what}`}
      actions={<Button onClick={retry}>Try again</Button>}
    >
      {messageOf(error)}
    </EmptyState>
  );
}

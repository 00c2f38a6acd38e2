import { type ComponentProps, type JSX, lazy, Suspense, useEffect, useState } from 'react';
import { type Connection, useConnection } from '../api/health';
import { duration } from '../lib/time';
import { usePush, usePushPhase } from './context';
import type { Phase } from './machine';
import styles from './PushPill.module.css';
import { useDataAge } from './useDataAge';

const PushPopover = lazy(() => import('./PushPopover'));

const WORDS: Record<Phase, string> = {
  connecting: 'Connecting',
  live: 'Live',
  polling: 'Polling',
  off: 'Push off',
  signed_out: 'Sign in',
};

/** A short break is not worth a flicker. */
const PATIENCE_MS = 2_000;

function useCalmPhase(phase: Phase): Phase {
  const [shown, setShown] = useState(phase);
  useEffect(() => {
    const isBreak = phase === 'polling';
    const timer = setTimeout(() => setShown(phase), isBreak ? PATIENCE_MS : 0);
    return () => clearTimeout(timer);
  }, [phase]);
  return shown;
}

interface PillProps extends ComponentProps<'button'> {
  phase: Phase;
}

const TROUBLE: Record<Exclude<Connection['kind'], 'ok'>, string> = {
  lost: 'No answer',
  failing: 'Failing',
};

export function Pill({ phase, ...rest }: PillProps): JSX.Element {
  const { kind } = useConnection();
  const age = useDataAge();
  const { last_seq } = usePush();
  const isTrouble = kind !== 'ok' && phase !== 'signed_out';
  return (
    <button
      type="button"
      className={styles.pill}
      data-phase={isTrouble ? kind : phase}
      data-seq={last_seq ?? undefined}
      title="How the page is kept current, and the age of what it shows"
      {...rest}
    >
      <i className={styles.dot} aria-hidden="true" />
      <span role="status">{isTrouble ? TROUBLE[kind] : WORDS[phase]}</span>
      {age !== null && <span className={styles.age}>{duration(age)}</span>}
    </button>
  );
}

/** How the page is kept current, and how old what it shows is. A click tells more. */
export function PushPill(): JSX.Element {
  const phase = useCalmPhase(usePushPhase());
  const [isWanted, setWanted] = useState(false);
  const pill = <Pill phase={phase} onClick={() => setWanted(true)} />;
  if (!isWanted) return pill;
  return (
    <Suspense fallback={pill}>
      <PushPopover phase={phase} />
    </Suspense>
  );
}

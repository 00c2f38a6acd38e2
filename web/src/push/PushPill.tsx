import { type ComponentProps, type JSX, lazy, Suspense, useEffect, useState } from 'react';
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

export function Pill({ phase, ...rest }: PillProps): JSX.Element {
  return (
    <button type="button" className={styles.pill} data-phase={phase} {...rest}>
      <i className={styles.dot} aria-hidden="true" />
      <span role="status">{WORDS[phase]}</span>
      <Figures />
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

function Figures(): JSX.Element {
  const push = usePush();
  const age = useDataAge();
  return (
    <span className={styles.figures}>
      {push.projection_version !== null && <span>v{push.projection_version}</span>}
      {push.last_seq !== null && <span>seq {push.last_seq.toLocaleString('en-US')}</span>}
      {age !== null && <span className={styles.age}>{duration(age)}</span>}
    </span>
  );
}

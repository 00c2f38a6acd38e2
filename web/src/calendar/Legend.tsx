import type { JSX } from 'react';
import styles from './Legend.module.css';

const ENTRIES = [
  [null, '◷ cron job'],
  [null, '♥ heartbeat'],
  ['next', 'scheduled'],
  ['run', '▶ running'],
  ['ok', '✓ success'],
  ['bad', '✕ failed'],
  ['miss', '! missed'],
  ['off', '– skipped, || paused'],
] as const;

/** What the colours and signs stand for. */
export function Legend(): JSX.Element {
  return (
    <ul className={styles.legend} aria-label="Legend">
      {ENTRIES.map(([tone, text]) => (
        <li key={text}>
          {tone !== null && <i data-tone={tone} aria-hidden="true" />}
          {text}
        </li>
      ))}
    </ul>
  );
}

import type { JSX } from 'react';
import { Facts } from './Facts';
import styles from './Facts.module.css';

/** Ids and paths: what programs need and people seldom do, folded away. */
export function Details({
  of,
}: {
  of: readonly (readonly [string, string | null | undefined])[];
}): JSX.Element {
  return (
    <details className={styles.details}>
      <summary>Technical details</summary>
      <Facts
        of={of.map(([name, value]) => [
          name,
          value == null ? null : <code key={name}>{value}</code>,
        ])}
      />
    </details>
  );
}

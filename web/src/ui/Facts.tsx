import type { JSX, ReactNode } from 'react';
import styles from './Facts.module.css';

/** Names and values, in two columns. What is null is left out. */
export function Facts({ of }: { of: readonly (readonly [string, ReactNode])[] }): JSX.Element {
  return (
    <dl className={styles.facts}>
      {of.map(([name, value]) =>
        value === null || value === undefined ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

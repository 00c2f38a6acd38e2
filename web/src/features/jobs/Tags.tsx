import type { JSX } from 'react';
import { Link } from 'react-router';
import styles from './Jobs.module.css';

/** A job's tags; each leads to the jobs that have it. */
export function Tags({ of }: { of: readonly string[] }): JSX.Element {
  return (
    <span className={styles.tags}>
      {of.map((tag) => (
        <Link key={tag} to={`/jobs?tag=${encodeURIComponent(tag)}`} className={styles.tag}>
          {tag}
        </Link>
      ))}
    </span>
  );
}

import type { JSX, ReactNode } from 'react';
import styles from './states.module.css';

interface EmptyStateProps {
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}

/** Nothing is here, why that is, and what to do next. */
export function EmptyState({ title, children, actions }: EmptyStateProps): JSX.Element {
  return (
    <div className={styles.empty}>
      <p className={styles.title}>{title}</p>
      {children && <div className={styles.text}>{children}</div>}
      {actions && <div className={styles.actions}>{actions}</div>}
    </div>
  );
}

import { type JSX, type ReactNode, useId } from 'react';
import styles from './Panel.module.css';

interface PanelProps {
  title: ReactNode;
  count?: number | string | undefined;
  /** A count that asks for something. */
  urgent?: boolean;
  actions?: ReactNode;
  children: ReactNode;
  className?: string | undefined;
}

/** A titled card. */
export function Panel({
  title,
  count,
  urgent,
  actions,
  children,
  className,
}: PanelProps): JSX.Element {
  const id = useId();
  return (
    <section className={`${styles.panel ?? ''} ${className ?? ''}`} aria-labelledby={id}>
      <header className={styles.head}>
        <h2 id={id}>{title}</h2>
        {count !== undefined && (
          <span className={urgent ? styles.urgent : styles.count}>{count}</span>
        )}
        {actions && <div className={styles.actions}>{actions}</div>}
      </header>
      {children}
    </section>
  );
}

import { type JSX, type ReactNode, useEffect } from 'react';
import styles from './Page.module.css';
import { setPageTitle } from './pageTitle';

interface PageProps {
  title: string;
  /** Beside the title: what the page is about, in a word. */
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page: its heading, what can be done on it, and its content. */
export function Page({ title, note, actions, children }: PageProps): JSX.Element {
  useEffect(() => setPageTitle(title), [title]);
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <h1>{title}</h1>
        {note && <div className={styles.note}>{note}</div>}
        {actions && <div className={styles.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}

import { type JSX, useEffect, useRef, useState } from 'react';
import { Link } from 'react-router';
import { dismissToast, type Toast, TOAST_MS, useToasts } from '../lib/toasts';
import { Icon } from './icons';
import styles from './Toasts.module.css';

/** The notices. Each stays while the pointer or the focus is on it. */
export function Toasts(): JSX.Element {
  const toasts = useToasts();
  return (
    <section className={styles.stack} aria-label="Notices" aria-live="polite">
      {toasts.map((each) => (
        <Card key={each.id} toast={each} />
      ))}
    </section>
  );
}

function Card({ toast }: { toast: Toast }): JSX.Element {
  const [isHeld, setHeld] = useState(false);
  const left = useRef(TOAST_MS);
  useEffect(() => {
    if (isHeld) return;
    const since = Date.now();
    const timer = setTimeout(() => dismissToast(toast.id), left.current);
    return () => {
      clearTimeout(timer);
      left.current = Math.max(1_500, left.current - (Date.now() - since));
    };
  }, [isHeld, toast.id]);
  const { action, link } = toast;
  return (
    <div
      className={styles.card}
      data-tone={toast.tone}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <span className={styles.text}>{toast.text}</span>
      {link && <Link to={link.to}>{link.label}</Link>}
      {action && (
        <button
          type="button"
          className={styles.action}
          onClick={() => {
            dismissToast(toast.id);
            action.run();
          }}
        >
          {action.label}
        </button>
      )}
      <button
        type="button"
        className={styles.close}
        aria-label="Dismiss"
        onClick={() => dismissToast(toast.id)}
      >
        <Icon name="close" size={14} />
      </button>
    </div>
  );
}

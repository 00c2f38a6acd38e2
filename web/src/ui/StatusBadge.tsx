import type { JSX } from 'react';
import type { CalendarEvent, RunStatus } from '../api/contract';
import { type Look, RUN_LOOK, slotLook } from './status';
import styles from './StatusBadge.module.css';

function Badge({ look }: { look: Look }): JSX.Element {
  return (
    <span className={styles.badge} data-tone={look.tone}>
      <i aria-hidden="true">{look.glyph}</i>
      {look.label}
    </span>
  );
}

export const RunBadge = ({ status }: { status: RunStatus }) => <Badge look={RUN_LOOK[status]} />;

export const EventBadge = ({ event }: { event: CalendarEvent }) => <Badge look={slotLook(event)} />;

/** Any word in the form of a badge. */
export const WordBadge = (look: Look) => <Badge look={look} />;

import type { JSX } from 'react';
import type { EventStatus, RunStatus } from '../api/contract';
import { EVENT_LOOK, type Look, RUN_LOOK } from './status';
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

export const EventBadge = ({ status }: { status: EventStatus }) => (
  <Badge look={EVENT_LOOK[status]} />
);

/** Any word in the form of a badge. */
export const WordBadge = (look: Look) => <Badge look={look} />;

import type { JSX } from 'react';
import type { CalendarEvent } from '../api/contract';
import { clock, elapsed, isoDate } from '../lib/time';
import { SOURCE_ICON } from '../ui/status';
import { EventBadge } from '../ui/StatusBadge';
import { useOwnZone } from './jobZones';
import styles from './SlotRow.module.css';
import { slotAt, slotLabel } from './words';

interface SlotRowProps {
  event: CalendarEvent;
  time: string;
  zone: string;
  onOpen: (event: CalendarEvent) => void;
}

/** The job's own time, when its clock does not show the same. */
function ownTime(event: CalendarEvent, zone: string, own: string | null): string | null {
  if (own === null) return null;
  const at = slotAt(event);
  const isSame = clock(at, own) === clock(at, zone) && isoDate(at, own) === isoDate(at, zone);
  return isSame ? null : `${clock(at, own)} ${own.split('/').pop()?.replaceAll('_', ' ') ?? own}`;
}

/** One slot as a line of a list. */
export function SlotRow({ event, time, zone, onOpen }: SlotRowProps): JSX.Element {
  const own = ownTime(event, zone, useOwnZone(event.source_ref, zone));
  return (
    <button type="button" className={styles.row} onClick={() => onOpen(event)}>
      <span className="sr-only">{slotLabel(event, time)}</span>
      <span className={styles.shown} aria-hidden="true">
        <span className={styles.time}>{time}</span>
        <span className={styles.icon}>{SOURCE_ICON[event.source]}</span>
        <span className={styles.title}>{event.title}</span>
        {own && <span className={styles.own}>{own}</span>}
        {event.duration_seconds != null && (
          <span className={styles.took}>{elapsed(event.duration_seconds)}</span>
        )}
        <EventBadge event={event} />
      </span>
    </button>
  );
}

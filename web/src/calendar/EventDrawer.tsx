import { Button } from '@mantine/core';
import type { JSX } from 'react';
import type { CalendarEvent } from '../api/contract';
import { useExplain } from '../api/queries';
import { useNow } from '../lib/now';
import { localTimes } from '../lib/localTimes';
import {
  dayClock,
  elapsed,
  longDay,
  maybeInstant,
  relative,
  shortClock,
  zoneName,
} from '../lib/time';
import { useNames } from '../features/names';
import { Details } from '../ui/Details';
import { Facts } from '../ui/Facts';
import { EventBadge } from '../ui/StatusBadge';
import { Drawer } from '../ui/overlays';
import { EventActions } from './EventActions';
import styles from './EventDrawer.module.css';
import { useOwnZone } from './jobZones';
import { slotAt, statusWord } from './words';

interface EventDrawerProps {
  event: CalendarEvent;
  zone: string;
  onClose: () => void;
  onBack: (() => void) | null;
}

/** All about one slot, and what can be done with it. */
export function EventDrawer({ event, zone, onClose, onBack }: EventDrawerProps): JSX.Element {
  return (
    <Drawer onClose={onClose} title={event.title} size={440}>
      {onBack && (
        <Button variant="subtle" className={styles.back} onClick={onBack}>
          Back to the list
        </Button>
      )}
      <SlotFacts event={event} zone={zone} />
      <EventActions event={event} onClose={onClose} />
      <Why event={event} zone={zone} />
      <Details
        of={[
          ['Id', event.event_id],
          ['Run', event.run_id],
        ]}
      />
    </Drawer>
  );
}

function SlotFacts({ event, zone }: { event: CalendarEvent; zone: string }): JSX.Element {
  const now = useNow();
  const at = slotAt(event);
  const own = useOwnZone(event.source_ref, zone);
  const named = useNames();
  const to = maybeInstant(event.moved_to_utc);
  return (
    <Facts
      of={[
        [
          'Status',
          <>
            <EventBadge event={event} />{' '}
            {event.run_status != null && event.run_status !== 'success' && (
              <span className="muted">{statusWord(event)}</span>
            )}
          </>,
        ],
        [
          'Scheduled',
          <>
            {longDay(at, zone)}, {shortClock(at, zone)} {zoneName(at, zone)}{' '}
            <span className="muted">({relative(at, now)})</span>
          </>,
        ],
        ['In its own zone', own === null ? null : `${dayClock(at, own)} ${own}`],
        ['UTC', zone === 'UTC' ? null : dayClock(at, 'UTC')],
        ['Took', event.duration_seconds == null ? null : elapsed(event.duration_seconds)],
        ['Source', event.source === 'cron' ? '◷ cron job' : '♥ heartbeat'],
        ['Schedule', event.description === '' ? null : event.description],
        ['Priority', event.category === 'normal' ? null : event.category],
        ['Channel', event.channel],
        ['Session', event.session_id === null ? null : (named(event.session_id)?.name ?? null)],
        ['Moved to', to === null ? null : `${dayClock(to, zone)} ${zoneName(to, zone)}`],
      ]}
    />
  );
}

/** Why the slot ended as it did; left out where the gateway cannot say. */
function Why({ event, zone }: { event: CalendarEvent; zone: string }): JSX.Element | null {
  const { data } = useExplain(event.event_id);
  if (!data || data.sentences.length === 0) return null;
  return (
    <section className={styles.why}>
      <h3>What happened</h3>
      <ol>
        {data.sentences.map((sentence, index) => (
          <li key={index}>{localTimes(sentence, zone, slotAt(event))}</li>
        ))}
      </ol>
    </section>
  );
}

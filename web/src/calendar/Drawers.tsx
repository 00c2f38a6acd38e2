import type { JSX } from 'react';
import type { CalendarEvent } from '../api/contract';
import { useNow } from '../lib/now';
import type { Day } from './days';
import type { Lane } from './density';
import { EventDrawer } from './EventDrawer';
import { LaneDrawer } from './LaneDrawer';
import { Drawer } from '../ui/overlays';
import ListView from './ListView';

export type Opened =
  | { kind: 'event'; event: CalendarEvent; from: Opened | null }
  | { kind: 'events'; event_ids: readonly string[] }
  | { kind: 'lane'; lane: Lane; day: Day };

interface DrawersProps {
  opened: Opened;
  events: readonly CalendarEvent[];
  days: readonly Day[];
  zone: string;
  onEvent: (event: CalendarEvent) => void;
  onOpen: (opened: Opened | null) => void;
}

/** What is open shows the present state of its slots, not that of the moment it was opened. */
export default function Drawers(props: DrawersProps): JSX.Element {
  const { opened, events, days, zone, onEvent, onOpen } = props;
  const now = useNow();
  const close = () => onOpen(null);
  if (opened.kind === 'lane') {
    return (
      <LaneDrawer
        lane={opened.lane}
        events={events}
        day={opened.day}
        zone={zone}
        now={now}
        onOpen={onEvent}
        onClose={close}
      />
    );
  }
  if (opened.kind === 'events') {
    const ids = new Set(opened.event_ids);
    return (
      <Drawer onClose={close} size={480} title={`${ids.size} slots`}>
        <ListView
          events={events.filter((event) => ids.has(event.event_id))}
          days={days}
          zone={zone}
          now={now}
          height="calc(100vh - 110px)"
          onOpen={onEvent}
        />
      </Drawer>
    );
  }
  const { from } = opened;
  const event = events.find((each) => each.event_id === opened.event.event_id) ?? opened.event;
  return (
    <EventDrawer
      event={event}
      zone={zone}
      onClose={close}
      onBack={from === null ? null : () => onOpen(from)}
    />
  );
}

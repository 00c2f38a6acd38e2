import { type JSX, useMemo } from 'react';
import type { CalendarEvent } from '../api/contract';
import { useCalendar } from '../api/queries';
import { clock, instant, longDay } from '../lib/time';
import { Loaded } from '../ui/Loaded';
import { Drawer } from '../ui/overlays';
import type { Day } from './days';
import type { Lane } from './density';
import ListView from './ListView';
import { slotAt } from './words';

interface LaneDrawerProps {
  lane: Lane;
  /** The feed's slots. */
  events: readonly CalendarEvent[];
  day: Day;
  zone: string;
  now: number;
  onOpen: (event: CalendarEvent) => void;
  onClose: () => void;
}

/** A lane's slots of one day. Those of an always-running row are asked for when they are wanted. */
export function LaneDrawer(props: LaneDrawerProps): JSX.Element {
  const { lane, events, day, zone, now, onOpen, onClose } = props;
  const own = useMemo(() => {
    if (lane.events === null) return undefined;
    const isOwn = (event: CalendarEvent) =>
      event.source_ref === lane.source_ref && slotAt(event) >= day.start && slotAt(event) < day.end;
    return events.filter(isOwn);
  }, [lane, events, day]);
  const asked = useCalendar(
    {
      view: 'day',
      start: new Date(day.start).toISOString(),
      end: new Date(day.end).toISOString(),
      timezone_name: zone,
      source: lane.source,
      source_ref: lane.source_ref,
    },
    { enabled: own === undefined },
  );
  const days = useMemo(() => [day], [day]);
  const list = (slots: readonly CalendarEvent[]) => (
    <ListView
      events={slots}
      days={days}
      zone={zone}
      now={now}
      height="calc(100vh - 110px)"
      onOpen={onOpen}
    />
  );
  return (
    <Drawer onClose={onClose} size={480} title={`${lane.title}, ${longDay(day.start, zone)}`}>
      {own ? (
        list(own)
      ) : (
        <Loaded query={asked} what="the slots" lines={10}>
          {(feed) => (
            <>
              {instant(feed.end_utc) < day.end && (
                <p className="muted small">
                  These are the slots up to {clock(instant(feed.end_utc), zone)}: the day has more
                  than one answer holds.
                </p>
              )}
              {list(feed.events.filter((event) => event.source_ref === lane.source_ref))}
            </>
          )}
        </Loaded>
      )}
    </Drawer>
  );
}

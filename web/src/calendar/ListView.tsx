import { type JSX, useMemo } from 'react';
import type { CalendarEvent } from '../api/contract';
import { longDay } from '../lib/time';
import { EmptyState } from '../ui/EmptyState';
import { VirtualList } from '../ui/VirtualList';
import { type Day, dayIndexAt } from './days';
import styles from './ListView.module.css';
import { SlotRow } from './SlotRow';
import { slotAt, slotClock } from './words';

type Line =
  | { kind: 'day'; day: Day; count: number }
  | { kind: 'slot'; event: CalendarEvent; day: Day; count: number };

interface ListViewProps {
  events: readonly CalendarEvent[];
  days: readonly Day[];
  zone: string;
  now: number;
  height?: string;
  onOpen: (event: CalendarEvent) => void;
}

function linesOf(events: readonly CalendarEvent[], days: readonly Day[]): Line[] {
  const byDay = days.map((): CalendarEvent[] => []);
  for (const event of events) byDay[dayIndexAt(days, slotAt(event))]?.push(event);
  return days.flatMap((day, index): Line[] => {
    const own = byDay[index] ?? [];
    if (own.length === 0) return [];
    own.sort((a, b) => a.scheduled_at_epoch - b.scheduled_at_epoch);
    const count = own.length;
    const slots = own.map((event): Line => ({ kind: 'slot', event, day, count }));
    return [{ kind: 'day', day, count }, ...slots];
  });
}

/** Every slot, one after another. */
export default function ListView(props: ListViewProps): JSX.Element {
  const { events, days, zone, now, height = 'calc(100vh - 190px)', onOpen } = props;
  const lines = useMemo(() => linesOf(events, days), [events, days]);
  const next = lines.findIndex((line) => line.kind === 'slot' && slotAt(line.event) >= now);
  const heading = ({ day, count }: Line) => (
    <h2 className={styles.day}>
      {longDay(day.start, zone)}
      <span>{count} slots</span>
    </h2>
  );
  if (lines.length === 0) {
    return (
      <EmptyState title="No slots">Nothing is due in this time, or the filter hides it.</EmptyState>
    );
  }
  return (
    <VirtualList
      items={lines}
      label="Slots"
      rowHeight={38}
      height={height}
      startAt={next < 0 ? -1 : Math.max(0, next - 5)}
      sticky={heading}
      itemKey={(line) => (line.kind === 'day' ? line.day.date : line.event.event_id)}
    >
      {(line) =>
        line.kind === 'day' ? (
          heading(line)
        ) : (
          <SlotRow
            event={line.event}
            time={slotClock(line.event, zone, line.day)}
            zone={zone}
            onOpen={onOpen}
          />
        )
      }
    </VirtualList>
  );
}

import { type JSX, useMemo } from 'react';
import type { AlwaysRunning, CalendarEvent, EventStatus } from '../api/contract';
import { longDay, monthName } from '../lib/time';
import { countsAs, EVENT_LOOK, SEVERITY } from '../ui/status';
import { type Day, dayIndexAt } from './days';
import { laneOfRow } from './density';
import styles from './MonthView.module.css';
import { slotAt } from './words';

interface Square {
  total: number;
  done: number;
  failed: number;
  missed: number;
  ahead: number;
  /** What is worth naming: problems, then what is rare. */
  named: Named[];
}

interface Named {
  key: string;
  title: string;
  status: EventStatus;
  count: number;
  at: number;
}

interface MonthViewProps {
  events: readonly CalendarEvent[];
  rows: readonly AlwaysRunning[];
  days: readonly Day[];
  /** The month in question; days of other months are pale. */
  month: string;
  zone: string;
  now: number;
  onDay: (date: string) => void;
}

const MOST_NAMED = 3;

function name(named: Named[], event: CalendarEvent): void {
  const { title } = event;
  const status = countsAs(event);
  const key = `${event.source_ref} ${status}`;
  const known = named.find((each) => each.key === key);
  if (known) known.count++;
  else named.push({ key, title, status, count: 1, at: slotAt(event) });
}

function squaresOf(
  events: readonly CalendarEvent[],
  rows: readonly AlwaysRunning[],
  days: readonly Day[],
): Square[] {
  const squares = days.map((): Square => ({
    total: 0,
    done: 0,
    failed: 0,
    missed: 0,
    ahead: 0,
    named: [],
  }));
  const often = new Map<string, number>();
  for (const { source_ref } of events) often.set(source_ref, (often.get(source_ref) ?? 0) + 1);
  for (const event of events) {
    const square = squares[dayIndexAt(days, slotAt(event))];
    if (!square) continue;
    square.total++;
    const status = countsAs(event);
    if (status === 'failed') square.failed++;
    else if (status === 'missed') square.missed++;
    else if (status === 'scheduled') square.ahead++;
    else square.done++;
    const isRare = (often.get(event.source_ref) ?? 0) <= days.length;
    if (isRare || SEVERITY[status] > SEVERITY.running) name(square.named, event);
  }
  for (const row of rows) {
    for (const [index, tally] of laneOfRow(row, days).days.entries()) {
      const square = squares[index];
      if (!square) continue;
      const ahead = tally.bars.reduce((sum, bar) => sum + (bar?.ahead ?? 0), 0);
      square.total += tally.total;
      square.failed += tally.failed;
      square.missed += tally.missed;
      square.ahead += ahead;
      square.done += tally.total - tally.failed - tally.missed - ahead;
    }
  }
  for (const { named } of squares) {
    named.sort((a, b) => SEVERITY[b.status] - SEVERITY[a.status] || a.at - b.at);
  }
  return squares;
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** A month at a glance: how each day went, and what is due. */
export default function MonthView(props: MonthViewProps): JSX.Element {
  const { events, rows, days, month, zone, now, onDay } = props;
  const squares = useMemo(() => squaresOf(events, rows, days), [events, rows, days]);
  const today = dayIndexAt(days, now);
  const inside = days.find((day) => day.date.startsWith(month)) ?? days[0];
  return (
    <div className={styles.month} aria-label={inside ? monthName(inside.start, zone) : 'Month'}>
      {WEEKDAYS.map((name) => (
        <div key={name} className={styles.weekday} aria-hidden="true">
          {name}
        </div>
      ))}
      {days.map((day, index) => {
        const square = squares[index];
        if (!square) return null;
        const { total, failed, missed } = square;
        return (
          <button
            key={day.date}
            type="button"
            className={styles.day}
            data-other={!day.date.startsWith(month)}
            data-today={index === today}
            onClick={() => onDay(day.date)}
          >
            <span className="sr-only">
              {`${longDay(day.start, zone)}: ${total} slots, ${failed} failed, ${missed} missed. Show day`}
            </span>
            <span className={styles.head} aria-hidden="true">
              <b>{Number(day.date.slice(8))}</b>
              {failed > 0 && <i data-tone="bad">{failed}✕</i>}
              {missed > 0 && <i data-tone="miss">{missed}!</i>}
              {total > 0 && <span>{total}</span>}
            </span>
            <Meter square={square} />
            {square.named.slice(0, MOST_NAMED).map((each) => (
              <span
                key={each.key}
                className={styles.named}
                data-tone={EVENT_LOOK[each.status].tone}
              >
                <i aria-hidden="true">{EVENT_LOOK[each.status].glyph}</i>
                {each.title}
                {each.count > 1 && ` ×${each.count}`}
              </span>
            ))}
          </button>
        );
      })}
    </div>
  );
}

function Meter({ square }: { square: Square }): JSX.Element {
  const { done, failed, missed, ahead } = square;
  const parts = { ok: done, bad: failed, miss: missed, next: ahead };
  return (
    <span className={styles.meter} aria-hidden="true">
      {Object.entries(parts).map(
        ([tone, count]) =>
          count > 0 && <i key={tone} data-tone={tone} style={{ flexGrow: count }} />,
      )}
    </span>
  );
}

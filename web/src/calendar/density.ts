// The rule that keeps a busy week legible: what runs often is drawn as one lane of bars, only the
// rest is drawn slot by slot.
import type { AlwaysRunning, CalendarEvent, EventStatus, Source } from '../api/contract';
import { instant } from '../lib/time';
import { countsAs } from '../ui/status';
import { type Day, dayIndexAt, HOUR } from './days';

export const DENSE_PER_DAY = 6;

/** What one bar of a lane stands for: the slots of an hour, or of half of one. */
export interface Bar {
  done: number;
  failed: number;
  missed: number;
  running: number;
  ahead: number;
  off: number;
}

export interface LaneDay {
  bars: readonly (Bar | undefined)[];
  total: number;
  failed: number;
  missed: number;
}

export interface Lane {
  key: string;
  source: Source;
  source_ref: string;
  title: string;
  note: string;
  total: number;
  problems: number;
  days: readonly LaneDay[];
  /** The highest bar. */
  most: number;
  /** The lane's slots; null where only their number is known. */
  events: readonly CalendarEvent[] | null;
  is_pinned: boolean;
}

const FIELD: Record<EventStatus, keyof Bar> = {
  success: 'done',
  failed: 'failed',
  missed: 'missed',
  running: 'running',
  scheduled: 'ahead',
  paused: 'off',
  disabled: 'off',
};

const emptyBar = (): Bar => ({ done: 0, failed: 0, missed: 0, running: 0, ahead: 0, off: 0 });

export const barTotal = (bar: Bar) =>
  bar.done + bar.failed + bar.missed + bar.running + bar.ahead + bar.off;

/** Adds up slots by day and elapsed time: by the hour, a day of 25 hours has 25 bars. */
class Tally {
  readonly days: { bars: (Bar | undefined)[]; total: number; failed: number; missed: number }[];

  constructor(
    private readonly of: readonly Day[],
    private readonly perHour: number,
  ) {
    this.days = of.map((day) => ({
      bars: Array.from<Bar | undefined>({ length: day.hours * perHour }),
      total: 0,
      failed: 0,
      missed: 0,
    }));
  }

  add(at: number, status: EventStatus, count: number): void {
    const index = dayIndexAt(this.of, at);
    const day = this.of[index];
    const tally = this.days[index];
    if (!day || !tally) return;
    const place = Math.floor(((at - day.start) / HOUR) * this.perHour);
    const bar = (tally.bars[place] ??= emptyBar());
    bar[FIELD[status]] += count;
    tally.total += count;
    if (status === 'failed') tally.failed += count;
    if (status === 'missed') tally.missed += count;
  }
}

function laneFrom(
  row: Pick<Lane, 'source' | 'source_ref' | 'title' | 'note' | 'events' | 'is_pinned'>,
  tally: Tally,
): Lane {
  const { days } = tally;
  const bars = days.flatMap((day) => day.bars);
  return {
    ...row,
    key: `${row.source}|${row.source_ref}`,
    days,
    total: days.reduce((sum, day) => sum + day.total, 0),
    problems: days.reduce((sum, day) => sum + day.failed + day.missed, 0),
    most: Math.max(1, ...bars.map((bar) => (bar ? barTotal(bar) : 0))),
  };
}

/** A lane for a row whose single slots are not in the feed. */
export function laneOfRow(row: AlwaysRunning, days: readonly Day[]): Lane {
  const tally = new Tally(days, 1);
  for (const hour of row.hourly ?? []) {
    const at = instant(hour.start_utc);
    for (const [status, count] of Object.entries(hour.counts) as [EventStatus, number][]) {
      if (status in FIELD) tally.add(at, status, count);
    }
  }
  const { source, source_ref, title, description = '' } = row;
  return laneFrom(
    { source, source_ref, title, note: description, events: null, is_pinned: false },
    tally,
  );
}

function laneOfEvents(
  events: readonly CalendarEvent[],
  days: readonly Day[],
  pinned: boolean,
): Lane {
  // A day by itself has room for half hours.
  const tally = new Tally(days, days.length === 1 ? 2 : 1);
  for (const event of events) tally.add(event.scheduled_at_epoch * 1000, countsAs(event), 1);
  const latest = events[events.length - 1];
  return laneFrom(
    {
      source: latest?.source ?? 'cron',
      source_ref: latest?.source_ref ?? '',
      title: latest?.title ?? '',
      note: latest?.description ?? '',
      events,
      is_pinned: pinned,
    },
    tally,
  );
}

const sameItems = <T>(a: readonly T[], b: readonly T[]) =>
  a.length === b.length && a.every((item, index) => item === b[index]);

export interface Split {
  lanes: readonly Lane[];
  /** What the grid shows, in the order of time. */
  sparse: readonly CalendarEvent[];
}

/**
 * Splits a feed into lanes and single slots. It remembers what it has made: a lane none of whose
 * slots changed is the same object as before, so that only the changed one is drawn anew.
 */
export class Splitter {
  private known = new Map<string, { events: readonly CalendarEvent[]; lane: Lane }>();
  private rows = new Map<string, { row: AlwaysRunning; lane: Lane }>();
  private days: readonly Day[] = [];

  split(
    events: readonly CalendarEvent[],
    rows: readonly AlwaysRunning[],
    days: readonly Day[],
    pinned: readonly string[],
  ): Split {
    if (days !== this.days) {
      this.known.clear();
      this.rows.clear();
      this.days = days;
    }
    const groups = new Map<string, CalendarEvent[]>();
    for (const event of events) {
      const key = `${event.source}|${event.source_ref}`;
      const group = groups.get(key);
      if (group) group.push(event);
      else groups.set(key, [event]);
    }
    const lanes = rows.map((row) => this.rowLane(row));
    const sparse: CalendarEvent[] = [];
    const dense = DENSE_PER_DAY * Math.max(1, days.length);
    for (const [key, group] of groups) {
      const isPinned = pinned.includes(key);
      if (group.length >= dense || isPinned) lanes.push(this.eventLane(key, group, isPinned));
      else sparse.push(...group);
    }
    lanes.sort(byUrgency);
    sparse.sort((a, b) => a.scheduled_at_epoch - b.scheduled_at_epoch);
    return { lanes, sparse };
  }

  private rowLane(row: AlwaysRunning): Lane {
    const key = `${row.source}|${row.source_ref}`;
    const known = this.rows.get(key);
    if (known?.row === row) return known.lane;
    const lane = laneOfRow(row, this.days);
    this.rows.set(key, { row, lane });
    return lane;
  }

  private eventLane(key: string, events: readonly CalendarEvent[], isPinned: boolean): Lane {
    const known = this.known.get(key);
    if (known?.lane.is_pinned === isPinned && sameItems(known.events, events)) {
      return known.lane;
    }
    const lane = laneOfEvents(events, this.days, isPinned);
    this.known.set(key, { events, lane });
    return lane;
  }
}

function byUrgency(a: Lane, b: Lane): number {
  const urgency = (lane: Lane) => (lane.is_pinned ? 2 : 0) + (lane.problems > 0 ? 1 : 0);
  return urgency(b) - urgency(a) || a.title.localeCompare(b.title) || (a.key < b.key ? -1 : 1);
}

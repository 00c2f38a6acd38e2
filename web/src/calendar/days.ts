// Days as they are in a zone: 23, 24, 24.5 or 25 hours long. Where the gateway has said where they
// begin and end, that holds; this file can also work it out, to ask for the right window.
import type { CalendarDay } from '../api/contract';
import { addDays } from '../lib/dates';
import { instant, isoDate } from '../lib/time';

export const HOUR = 3_600_000;

/** A stretch of a day in which the offset from UTC stays the same. */
interface Stretch {
  from: number;
  offset: number;
}

export interface HourNote {
  kind: 'skipped' | 'partly_skipped' | 'repeated';
  text: string;
}

export interface Day {
  date: string;
  start: number;
  end: number;
  /** Elapsed hours, rounded up: as many bars as a lane has. */
  hours: number;
  stretches: readonly Stretch[];
  /** By wall clock hour: what is odd about it. */
  notes: ReadonlyMap<number, HourNote>;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** How far the zone's wall clock is ahead of UTC at an instant, in milliseconds. */
export function offsetAt(at: number, zone: string): number {
  let clock = clocks.get(zone);
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    clocks.set(zone, clock);
  }
  const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of clock.formatToParts(at)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  const wall = Date.UTC(year, month - 1, day, hour, minute, second);
  return wall - Math.floor(at / 1000) * 1000;
}

/** The first instant between `low` and `high` where `holds` is true; it stays so from there on. */
function firstWhere(low: number, high: number, holds: (at: number) => boolean): number {
  let [before, after] = [low, high];
  while (after - before > 1000) {
    const middle = Math.floor((before + after) / 2000) * 1000;
    if (holds(middle)) after = middle;
    else before = middle;
  }
  return after;
}

/** The first instant of a date in a zone; that is not 00:00 where the clock skips midnight. */
export function startOfDate(date: string, zone: string): number {
  const midnight = Date.parse(`${date}T00:00:00Z`);
  return firstWhere(midnight - 16 * HOUR, midnight + 16 * HOUR, (at) => isoDate(at, zone) >= date);
}

function transitionsBetween(start: number, end: number, zone: string): number[] {
  const found: number[] = [];
  for (let from = start; from < end; from += 6 * HOUR) {
    const to = Math.min(from + 6 * HOUR, end);
    const before = offsetAt(from, zone);
    if (offsetAt(to, zone) !== before) {
      found.push(firstWhere(from, to, (at) => offsetAt(at, zone) !== before));
    }
  }
  return found.filter((at) => at < end);
}

/** The day as the gateway would tell it. */
export function workedOutDay(date: string, zone: string): CalendarDay {
  const start = startOfDate(date, zone);
  const end = startOfDate(addDays(date, 1), zone);
  const iso = (at: number) => new Date(at).toISOString();
  return {
    date,
    start_utc: iso(start),
    end_utc: iso(end),
    transitions: transitionsBetween(start, end, zone).map((at) => ({ at_utc: iso(at) })),
  };
}

const wallText = (wall: number) => new Date(wall).toISOString().slice(11, 16);

function notesFor(stretches: readonly Stretch[]): Map<number, HourNote> {
  const notes = new Map<number, HourNote>();
  for (const [index, after] of stretches.entries()) {
    const before = stretches[index - 1];
    if (!before) continue;
    const isSkip = after.offset > before.offset;
    const from = after.from + Math.min(before.offset, after.offset);
    const to = after.from + Math.max(before.offset, after.offset);
    const span = `${wallText(from)}–${wallText(to)}`;
    for (let hour = Math.floor(from / HOUR) * HOUR; hour < to; hour += HOUR) {
      const isWhole = from <= hour && to >= hour + HOUR;
      notes.set(new Date(hour).getUTCHours(), {
        kind: isSkip ? (isWhole ? 'skipped' : 'partly_skipped') : 'repeated',
        text: isSkip ? `${span} does not exist` : `${span} happens twice`,
      });
    }
  }
  return notes;
}

export function dayOf(told: CalendarDay, zone: string): Day {
  const start = instant(told.start_utc);
  const end = instant(told.end_utc);
  const cuts = told.transitions.map((each) => instant(each.at_utc));
  const inside = cuts.filter((at) => at > start && at < end);
  // A clock that jumps at the very start still has to be told of: the note needs what was before.
  const atStart = cuts.includes(start)
    ? [{ from: start - 1, offset: offsetAt(start - 1, zone) }]
    : [];
  const stretches = [
    ...atStart,
    ...[start, ...inside].map((from) => ({ from, offset: offsetAt(from, zone) })),
  ];
  const hours = Math.ceil((end - start) / HOUR);
  return { date: told.date, start, end, hours, stretches, notes: notesFor(stretches) };
}

/** Wall clock hour, 0 to 23, of an instant inside the day. */
export function wallHour(day: Day, at: number): number {
  let offset = day.stretches[0]?.offset ?? 0;
  for (const stretch of day.stretches) if (at >= stretch.from) offset = stretch.offset;
  return Math.floor((((at + offset) % 86_400_000) + 86_400_000) / HOUR) % 24;
}

/** The day that holds an instant, by its place; -1: none does. */
export function dayIndexAt(days: readonly Day[], at: number): number {
  let [low, high] = [0, days.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const day = days[middle];
    if (!day || at < day.start) high = middle - 1;
    else if (at >= day.end) low = middle + 1;
    else return middle;
  }
  return -1;
}

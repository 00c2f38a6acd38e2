// The grid: one row for each hour of the wall clock, one cell for each day, slots listed in a cell.
// Rows are as high as their fullest cell, and hours in which nothing is due are folded together, so
// that titles keep their width and nothing overlaps.
import type { CalendarEvent } from '../api/contract';
import { countsAs, SEVERITY } from '../ui/status';
import { type Day, dayIndexAt, wallHour } from './days';

export type Row = { kind: 'hour'; hour: number } | { kind: 'empty'; from: number; to: number };

export interface Cell {
  shown: readonly CalendarEvent[];
  /** All of them, when some are not shown. */
  all: readonly CalendarEvent[];
}

export interface Timetable {
  rows: readonly Row[];
  /** By hour, then by day. */
  cells: readonly (readonly (Cell | undefined)[])[];
}

const HOURS = 24;
/** Fewer empty hours than this are not worth folding. */
const FOLD_FROM = 2;

const sameItems = <T>(a: readonly T[], b: readonly T[]) =>
  a.length === b.length && a.every((item, index) => item === b[index]);

/** Which slots of a cell are shown when there is no room for all: problems first, in time's order. */
export function chosen(events: readonly CalendarEvent[], most: number): readonly CalendarEvent[] {
  if (events.length <= most) return events;
  const kept = new Set(
    [...events].sort((a, b) => SEVERITY[countsAs(b)] - SEVERITY[countsAs(a)]).slice(0, most - 1),
  );
  return events.filter((event) => kept.has(event));
}

function foldRows(isWanted: (hour: number) => boolean): Row[] {
  const rows: Row[] = [];
  for (let hour = 0; hour < HOURS;) {
    let end = hour;
    while (end < HOURS && !isWanted(end)) end++;
    if (end - hour >= FOLD_FROM) {
      rows.push({ kind: 'empty', from: hour, to: end });
      hour = end;
    } else {
      rows.push({ kind: 'hour', hour });
      hour++;
    }
  }
  return rows;
}

/** Lays slots out. A cell whose slots did not change is the same object as before. */
export class TimetableMaker {
  private known = new Map<string, Cell>();
  private days: readonly Day[] = [];

  /** `nowHour` stays unfolded: the line that marks the present is drawn there. */
  make(
    events: readonly CalendarEvent[],
    days: readonly Day[],
    most: number,
    nowHour: number | null,
  ): Timetable {
    if (days !== this.days) {
      this.known.clear();
      this.days = days;
    }
    const lists = new Map<string, CalendarEvent[]>();
    for (const event of events) {
      const at = event.scheduled_at_epoch * 1000;
      const index = dayIndexAt(days, at);
      const day = days[index];
      if (!day) continue;
      const key = `${wallHour(day, at)} ${index}`;
      const list = lists.get(key);
      if (list) list.push(event);
      else lists.set(key, [event]);
    }
    const cells = Array.from({ length: HOURS }, (_, hour) =>
      days.map((_day, index) => this.cell(`${hour} ${index}`, lists, most)),
    );
    const isWanted = (hour: number) =>
      hour === nowHour ||
      (cells[hour] ?? []).some((cell) => cell !== undefined) ||
      days.some((day) => day.notes.has(hour));
    return { cells, rows: foldRows(isWanted) };
  }

  private cell(key: string, lists: Map<string, CalendarEvent[]>, most: number): Cell | undefined {
    const all = lists.get(key);
    if (!all) {
      this.known.delete(key);
      return undefined;
    }
    const shown = chosen(all, most);
    const known = this.known.get(key);
    if (known && sameItems(known.all, all) && known.shown.length === shown.length) return known;
    const cell = { shown, all };
    this.known.set(key, cell);
    return cell;
  }
}

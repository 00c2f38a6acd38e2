// The rows that came in lately. An answer that was on its way meanwhile does not know them; they
// are put into it when it arrives.
import type { CalendarEvent } from '../api/contract';

const MOST = 2_000;

export class RowJournal {
  private rows: CalendarEvent[] = [];
  private count = 0;

  /** How many rows have come in so far. */
  get position(): number {
    return this.count;
  }

  add(rows: readonly CalendarEvent[]): void {
    this.count += rows.length;
    this.rows = [...this.rows, ...rows].slice(-MOST);
  }

  /** The rows that came in after `position`. */
  since(position: number): readonly CalendarEvent[] {
    const wanted = this.count - position;
    return wanted > 0 ? this.rows.slice(-wanted) : [];
  }
}

export const rowJournal = new RowJournal();

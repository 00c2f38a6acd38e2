import type { AlwaysRunning, CalendarEvent, EventStatus } from '../api/contract';
import { countsAs } from '../ui/status';
import type { ViewState } from './useView';

export type Filter = Pick<ViewState, 'q' | 'source' | 'problems'>;

const isProblem = (status: EventStatus) => status === 'failed' || status === 'missed';

export const isFiltering = ({ q, source, problems }: Filter) =>
  q.trim() !== '' || source !== 'all' || problems;

/** The slots that the filter lets through; the same array when it hides nothing. */
export function filterEvents(
  events: readonly CalendarEvent[],
  filter: Filter,
): readonly CalendarEvent[] {
  if (!isFiltering(filter)) return events;
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  return events.filter((event) => {
    if (filter.source !== 'all' && event.source !== filter.source) return false;
    if (filter.problems && !isProblem(countsAs(event))) return false;
    const text = `${event.title} ${event.source_ref} ${event.session_id ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export function filterRows(
  rows: readonly AlwaysRunning[],
  filter: Filter,
): readonly AlwaysRunning[] {
  if (!isFiltering(filter)) return rows;
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (filter.source !== 'all' && row.source !== filter.source) return false;
    const counts = (row.hourly ?? []).map((hour) => hour.counts);
    const problems = counts.some((each) => (each.failed ?? 0) + (each.missed ?? 0) > 0);
    if (filter.problems && !problems) return false;
    const text = `${row.title} ${row.source_ref}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

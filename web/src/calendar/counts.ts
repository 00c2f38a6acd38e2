import type { CalendarFeed, EventStatus } from '../api/contract';
import { countsAs } from '../ui/status';

/** How many slots a feed has, single ones and those of rows, and how many went wrong. */
export function countsOf(feed: CalendarFeed): { total: number; failed: number; missed: number } {
  const counts = { total: 0, failed: 0, missed: 0 };
  const add = (status: EventStatus, count: number) => {
    counts.total += count;
    if (status === 'failed' || status === 'missed') counts[status] += count;
  };
  for (const event of feed.events) add(countsAs(event), 1);
  for (const row of feed.always_running) {
    for (const hour of row.hourly ?? []) {
      for (const [status, count] of Object.entries(hour.counts) as [EventStatus, number][]) {
        add(status, count);
      }
    }
  }
  return counts;
}

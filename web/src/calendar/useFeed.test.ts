import { describe, expect, it } from 'vitest';
import type { AlwaysRunning, CalendarEvent, CalendarFeed } from '../api/contract';
import { withoutListedRows } from './useFeed';

const row = (source_ref: string) => ({ source: 'heartbeat', source_ref }) as AlwaysRunning;
const beat = (source_ref: string) => ({ source: 'heartbeat', source_ref }) as CalendarEvent;
const feed = (events: CalendarEvent[], always_running: AlwaysRunning[]) =>
  ({ events, always_running }) as Partial<CalendarFeed> as CalendarFeed;

describe('rows of a feed', () => {
  it('are left out where the same slots are listed', () => {
    const shown = withoutListedRows(feed([beat('a')], [row('a'), row('b')]));
    expect(shown.always_running.map((one) => one.source_ref)).toEqual(['b']);
  });

  it('leave the feed as it is where nothing is shown twice', () => {
    const told = feed([beat('a')], [row('b')]);
    expect(withoutListedRows(told)).toBe(told);
  });
});

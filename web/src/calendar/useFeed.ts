// The feed for some dates: what to ask for, and the days as the gateway tells them.
import { useMemo } from 'react';
import type { CalendarDay, CalendarEvent, CalendarFeed } from '../api/contract';
import { useCalendar } from '../api/queries';
import type { CalendarQuery } from '../api/paths';
import { type Day, dayOf, workedOutDay } from './days';

/** Asks for whole days of a zone. */
export function queryFor(dates: readonly string[], zone: string): CalendarQuery {
  const first = workedOutDay(dates[0] ?? '1970-01-01', zone);
  const last = workedOutDay(dates.at(-1) ?? '1970-01-01', zone);
  const view = dates.length === 1 ? 'day' : dates.length <= 7 ? 'week' : 'month';
  return { view, start: first.start_utc, end: last.end_utc, timezone_name: zone };
}

/** The days of `dates`: as the gateway told them, or worked out where it did not. */
export function daysFor(
  dates: readonly string[],
  told: readonly CalendarDay[],
  zone: string,
): Day[] {
  const byDate = new Map(told.map((day) => [day.date, day]));
  return dates.map((date) => dayOf(byDate.get(date) ?? workedOutDay(date, zone), zone));
}

/**
 * The feed without the rows of what it also lists: a session's beats have a row and, unless there
 * are very many, are listed. Shown are the listed ones, which can be opened one by one.
 */
export function withoutListedRows(feed: CalendarFeed): CalendarFeed {
  const listed = new Set(feed.events.map((event) => `${event.source}|${event.source_ref}`));
  const rows = feed.always_running.filter((row) => !listed.has(`${row.source}|${row.source_ref}`));
  return rows.length === feed.always_running.length ? feed : { ...feed, always_running: rows };
}

const NO_EVENTS: readonly CalendarEvent[] = [];
const NO_DAYS: readonly CalendarDay[] = [];

export interface Feed {
  feed: CalendarFeed | undefined;
  events: readonly CalendarEvent[];
  days: readonly Day[];
  error: Error | null;
  refetch: () => void;
  /** What is shown belongs to other dates, until the answer comes. */
  isOld: boolean;
}

export function useFeed(dates: readonly string[], zone: string): Feed {
  const query = useMemo(() => queryFor(dates, zone), [dates, zone]);
  const { data: told, error, refetch, isPlaceholderData } = useCalendar(query);
  const feed = useMemo(() => told && withoutListedRows(told), [told]);
  const isOfZone = feed?.timezone === zone;
  const toldKey = isOfZone ? JSON.stringify(feed.days ?? NO_DAYS) : '[]';
  const days = useMemo(() => {
    return daysFor(dates, JSON.parse(toldKey) as CalendarDay[], zone);
  }, [dates, toldKey, zone]);
  return {
    feed,
    events: feed?.events ?? NO_EVENTS,
    days,
    error,
    refetch: () => void refetch(),
    isOld: isPlaceholderData,
  };
}

// What the calendar shows, kept in the address: a link or a reload leads to the same view.
import { useMemo } from 'react';
import { useSearchParams } from 'react-router';
import { useNow } from '../lib/now';
import {
  addDays,
  addMonths,
  datesFrom,
  isDate,
  monthDates,
  monthStart,
  weekStart,
} from '../lib/dates';
import { isoDate } from '../lib/time';

export const VIEWS = ['week', 'day', 'list', 'month'] as const;
export type View = (typeof VIEWS)[number];

export type SourceFilter = 'all' | 'cron' | 'heartbeat';

export interface ViewState {
  view: View;
  /** The date in question; today where none is named. */
  date: string;
  today: string;
  dates: readonly string[];
  q: string;
  source: SourceFilter;
  problems: boolean;
}

export interface ViewControls extends ViewState {
  set: (change: Partial<Pick<ViewState, 'view' | 'date' | 'q' | 'source' | 'problems'>>) => void;
  step: (sign: 1 | -1) => void;
  toToday: () => void;
}

const isView = (text: string | null): text is View => VIEWS.some((view) => view === text);

function datesOf(view: View, date: string): string[] {
  switch (view) {
    case 'day':
      return [date];
    case 'month':
      return monthDates(date);
    case 'week':
    case 'list':
      return datesFrom(weekStart(date), 7);
  }
}

function stepped(view: View, date: string, sign: 1 | -1): string {
  if (view === 'month') return addMonths(monthStart(date), sign);
  return addDays(date, view === 'day' ? sign : 7 * sign);
}

/** A phone shows a list unless asked otherwise. */
const defaultView = (): View => (window.matchMedia('(max-width: 760px)').matches ? 'list' : 'week');

export function useView(zone: string): ViewControls {
  const [search, setSearch] = useSearchParams();
  const now = useNow();
  const today = isoDate(now, zone);
  const named = search.get('view');
  const view = isView(named) ? named : defaultView();
  const asked = search.get('date') ?? search.get('week') ?? '';
  const date = isDate(asked) ? asked : today;
  const dates = useMemo(() => datesOf(view, date), [view, date]);
  const source = search.get('source');
  const set: ViewControls['set'] = (wanted) =>
    setSearch(
      (params) => {
        for (const [key, value] of Object.entries(wanted)) {
          if (value === '' || value === false) params.delete(key);
          else params.set(key, value === true ? '1' : value);
        }
        if (wanted.date !== undefined) params.delete('week');
        return params;
      },
      // To go back is not to take back letters.
      { replace: wanted.q !== undefined },
    );
  return {
    view,
    date,
    today,
    dates,
    q: search.get('q') ?? '',
    source: source === 'cron' || source === 'heartbeat' ? source : 'all',
    problems: search.get('problems') === '1',
    set,
    step: (sign) => set({ date: stepped(view, date, sign) }),
    toToday: () => set({ date: today }),
  };
}

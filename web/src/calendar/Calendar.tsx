import { Button } from '@mantine/core';
import { type JSX, lazy, Suspense, useCallback, useMemo, useRef, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { ApiError } from '../api/errors';
import { keys } from '../api/keys';
import type { CalendarEvent } from '../api/contract';
import { openDialog } from '../app/dialogs';
import { useZone } from '../app/zone';
import { useNow } from '../lib/now';
import { useShortcuts } from '../lib/shortcuts';
import { EmptyState } from '../ui/EmptyState';
import { Failure, Waiting } from '../ui/Loaded';
import { Page } from '../ui/Page';
import { Board } from './Board';
import styles from './Calendar.module.css';
import { countsOf } from './counts';
import type { Day } from './days';
import type { Lane } from './density';
import type { Opened } from './Drawers';
import { filterEvents, filterRows, isFiltering } from './filter';
import { Legend } from './Legend';
import { Toolbar } from './Toolbar';
import { type Feed, useFeed } from './useFeed';
import { useView, type ViewControls } from './useView';

const ListView = lazy(() => import('./ListView'));
const MonthView = lazy(() => import('./MonthView'));
const Drawers = lazy(() => import('./Drawers'));

function useCalendarKeys(view: ViewControls, focusFilter: () => void): void {
  const queries = useQueryClient();
  const shortcuts = useMemo(
    () => ({
      w: () => view.set({ view: 'week' }),
      d: () => view.set({ view: 'day' }),
      l: () => view.set({ view: 'list' }),
      m: () => view.set({ view: 'month' }),
      t: view.toToday,
      ArrowLeft: () => view.step(-1),
      ArrowRight: () => view.step(1),
      '/': focusFilter,
      n: () => document.querySelector('[data-now-line]')?.scrollIntoView({ block: 'center' }),
      r: () => void queries.invalidateQueries({ queryKey: keys.calendar.all }),
    }),
    [view, focusFilter, queries],
  );
  useShortcuts(shortcuts);
}

/** What ran, what did not, and what is due: the page that is kept open. */
export default function Calendar(): JSX.Element {
  const zone = useZone();
  const view = useView(zone);
  const data = useFeed(view.dates, zone);
  const filterBox = useRef<HTMLInputElement>(null);
  useCalendarKeys(
    view,
    useCallback(() => filterBox.current?.focus(), []),
  );
  return (
    <Page title="Calendar" note={<Summary data={data} />}>
      <Toolbar view={view} days={data.days} zone={zone} filterBox={filterBox} />
      <Content data={data} view={view} zone={zone} />
      <Legend />
    </Page>
  );
}

function Summary({ data }: { data: Feed }): JSX.Element | null {
  const { feed } = data;
  if (!feed) return null;
  const { total, failed, missed } = countsOf(feed);
  return (
    <span className="num" role="status">
      {total.toLocaleString('en-US')} slots
      {failed > 0 && <b className={styles.failed}> · {failed} failed</b>}
      {missed > 0 && <b className={styles.missed}> · {missed} missed</b>}
      {feed.detail === 'counts' && ' · shown by the hour'}
    </span>
  );
}

interface ContentProps {
  data: Feed;
  view: ViewControls;
  zone: string;
}

function Content({ data, view, zone }: ContentProps): JSX.Element {
  const { feed, days, error, refetch } = data;
  const { q, source, problems } = view;
  const now = useNow();
  const [opened, setOpened] = useState<Opened | null>(null);
  const filter = useMemo(() => ({ q, source, problems }), [q, source, problems]);
  const events = useMemo(() => filterEvents(data.events, filter), [data.events, filter]);
  const rows = useMemo(() => filterRows(feed?.always_running ?? [], filter), [feed, filter]);
  const openEvent = useCallback(
    (event: CalendarEvent) =>
      setOpened((from) => ({
        kind: 'event',
        event,
        from: from?.kind === 'event' ? from.from : from,
      })),
    [],
  );
  const openEvents = useCallback(
    (all: readonly CalendarEvent[]) =>
      setOpened({ kind: 'events', event_ids: all.map((event) => event.event_id) }),
    [],
  );
  const openLane = useCallback(
    (lane: Lane, day: Day) => setOpened({ kind: 'lane', lane, day }),
    [],
  );
  if (!feed) {
    return error instanceof ApiError && error.isTooLarge ? (
      <TooMany onDay={view.view === 'day' ? null : () => view.set({ view: 'day' })} />
    ) : error ? (
      <Failure error={error} what="the calendar" retry={refetch} />
    ) : (
      <Waiting lines={12} />
    );
  }
  if (events.length === 0 && rows.length === 0 && !isFiltering(filter)) return <NoSchedules />;
  if (feed.detail === 'counts' && view.view === 'list') {
    return <TooMany onDay={() => view.set({ view: 'day' })} />;
  }
  const toDay = (date: string) => view.set({ view: 'day', date });
  return (
    <>
      <div className={styles.surface} data-view={view.view} data-old={data.isOld}>
        <Suspense fallback={<Waiting lines={12} />}>
          {view.view === 'month' ? (
            <MonthView
              events={events}
              rows={rows}
              days={days}
              month={view.date.slice(0, 7)}
              zone={zone}
              now={now}
              onDay={toDay}
            />
          ) : view.view === 'list' ? (
            <ListView events={events} days={days} zone={zone} now={now} onOpen={openEvent} />
          ) : (
            <Board
              events={events}
              rows={rows}
              days={days}
              zone={zone}
              onEvent={openEvent}
              onEvents={openEvents}
              onLane={openLane}
              onDay={view.view === 'week' ? toDay : null}
            />
          )}
        </Suspense>
      </div>
      {opened && (
        <Suspense>
          <Drawers
            opened={opened}
            events={data.events}
            days={days}
            zone={zone}
            onEvent={openEvent}
            onOpen={setOpened}
          />
        </Suspense>
      )}
    </>
  );
}

/** `onDay`: shows less. */
function TooMany({ onDay }: { onDay: (() => void) | null }): JSX.Element {
  return (
    <div className={styles.surface}>
      <EmptyState
        title="Too many slots for one page"
        actions={onDay && <Button onClick={onDay}>Show one day</Button>}
      >
        Week, day and month count them by the hour; a click on a job's day lists its slots. The page
        of a job has all of its runs.
      </EmptyState>
    </div>
  );
}

function NoSchedules(): JSX.Element {
  return (
    <div className={styles.surface}>
      <EmptyState
        title="Nothing is scheduled in this time"
        actions={
          <>
            <Button variant="filled" onClick={() => openDialog({ name: 'job' })}>
              Create a job
            </Button>
            <Button onClick={() => openDialog({ name: 'change' })}>Request change in words</Button>
          </>
        }
      >
        Jobs and heartbeats appear here with every slot they had and will have.
      </EmptyState>
    </div>
  );
}

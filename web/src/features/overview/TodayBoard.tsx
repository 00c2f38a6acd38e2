import { type JSX, lazy, Suspense, useCallback, useState } from 'react';
import { Link } from 'react-router';
import type { CalendarEvent } from '../../api/contract';
import { Board } from '../../calendar/Board';
import type { Day } from '../../calendar/days';
import type { Lane } from '../../calendar/density';
import type { Opened } from '../../calendar/Drawers';
import type { Feed } from '../../calendar/useFeed';
import { Failure, Waiting } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import styles from './Decisions.module.css';

const Drawers = lazy(() => import('../../calendar/Drawers'));

interface TodayBoardProps {
  data: Feed;
  zone: string;
}

/** Today's lanes and hours. */
export default function TodayBoard({ data, zone }: TodayBoardProps): JSX.Element {
  const { feed, events, days, error, refetch } = data;
  const [opened, setOpened] = useState<Opened | null>(null);
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
  return (
    <Panel
      title="Today"
      actions={
        <Link to="/calendar?view=week" className={styles.all}>
          Week
        </Link>
      }
    >
      {!feed && error && <Failure error={error} what="today" retry={refetch} />}
      {!feed && !error && <Waiting lines={6} />}
      {feed && (
        <Board
          events={events}
          rows={feed.always_running}
          days={days}
          zone={zone}
          onEvent={openEvent}
          onEvents={openEvents}
          onLane={openLane}
          onDay={null}
        />
      )}
      {opened && (
        <Suspense>
          <Drawers
            opened={opened}
            events={events}
            days={days}
            zone={zone}
            onEvent={openEvent}
            onOpen={setOpened}
          />
        </Suspense>
      )}
    </Panel>
  );
}

import { type JSX, useCallback, useState } from 'react';
import { Link } from 'react-router';
import type { CalendarEvent } from '../../api/contract';
import { Board } from '../../calendar/Board';
import type { Day } from '../../calendar/days';
import type { Lane } from '../../calendar/density';
import { EventDrawer } from '../../calendar/EventDrawer';
import { LaneDrawer } from '../../calendar/LaneDrawer';
import type { Feed } from '../../calendar/useFeed';
import { useNow } from '../../lib/now';
import { Failure, Waiting } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import styles from './Decisions.module.css';

interface TodayBoardProps {
  data: Feed;
  zone: string;
}

/** Today's lanes and hours. */
export default function TodayBoard({ data, zone }: TodayBoardProps): JSX.Element {
  const { feed, events, days, error, refetch } = data;
  const [event, setEvent] = useState<CalendarEvent | null>(null);
  const [lane, setLane] = useState<{ lane: Lane; day: Day } | null>(null);
  const now = useNow();
  const openLane = useCallback((each: Lane, day: Day) => setLane({ lane: each, day }), []);
  const openFirst = useCallback((all: readonly CalendarEvent[]) => setEvent(all[0] ?? null), []);
  const present = event && (events.find((each) => each.event_id === event.event_id) ?? event);
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
          onEvent={setEvent}
          onEvents={openFirst}
          onLane={openLane}
          onDay={null}
        />
      )}
      {lane && !present && (
        <LaneDrawer
          {...lane}
          events={events}
          zone={zone}
          now={now}
          onOpen={setEvent}
          onClose={() => setLane(null)}
        />
      )}
      {present && (
        <EventDrawer
          event={present}
          zone={zone}
          onBack={lane && (() => setEvent(null))}
          onClose={() => {
            setEvent(null);
            setLane(null);
          }}
        />
      )}
    </Panel>
  );
}

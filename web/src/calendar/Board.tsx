import { Button } from '@mantine/core';
import { type JSX, useCallback, useMemo, useState } from 'react';
import type { AlwaysRunning, CalendarEvent } from '../api/contract';
import { prefer, preferences, usePreferences } from '../lib/preferences';
import { useNow } from '../lib/now';
import { dayName } from '../lib/time';
import { SharedTooltip } from '../ui/SharedTooltip';
import styles from './Board.module.css';
import { type Day, dayIndexAt, HOUR, wallHour } from './days';
import { type Lane, Splitter } from './density';
import { Grid } from './Grid';
import { LaneRow } from './LaneRow';
import { TimetableMaker } from './timetable';

const MOST_LANES = 12;
const MOST_IN_CELL = 4;
const MOST_IN_DAY_CELL = 30;

export interface BoardProps {
  events: readonly CalendarEvent[];
  rows: readonly AlwaysRunning[];
  days: readonly Day[];
  zone: string;
  onEvent: (event: CalendarEvent) => void;
  onEvents: (events: readonly CalendarEvent[]) => void;
  onLane: (lane: Lane, day: Day) => void;
  /** A day's heading leads to that day. */
  onDay: ((date: string) => void) | null;
}

function dayLength(day: Day): string {
  const hours = (day.end - day.start) / HOUR;
  return hours === 24 ? '' : ` (${hours} h)`;
}

/** Days side by side: lanes of what runs often, and the grid of the rest. */
export function Board(props: BoardProps): JSX.Element {
  const { events, rows, days, zone, onEvent, onEvents, onLane, onDay } = props;
  const { pinned } = usePreferences();
  const now = useNow();
  const [showsAll, setShowsAll] = useState(false);
  const [splitter] = useState(() => new Splitter());
  const [maker] = useState(() => new TimetableMaker());
  const today = dayIndexAt(days, now);
  const present = days[today];
  const nowHour = present ? wallHour(present, now) : null;
  const { lanes, sparse } = useMemo(
    () => splitter.split(events, rows, days, pinned),
    [splitter, events, rows, days, pinned],
  );
  const most = days.length === 1 ? MOST_IN_DAY_CELL : MOST_IN_CELL;
  const table = useMemo(
    () => maker.make(sparse, days, most, nowHour),
    [maker, sparse, days, most, nowHour],
  );
  const openLane = useCallback(
    (lane: Lane, index: number) => {
      const day = days[index];
      if (day) onLane(lane, day);
    },
    [days, onLane],
  );
  const shown = showsAll ? lanes : lanes.slice(0, MOST_LANES);
  const columns = `var(--names) repeat(${days.length}, minmax(0, 1fr))`;
  return (
    <SharedTooltip>
      <div
        className={styles.board}
        role="table"
        aria-label="Slots by day"
        style={{ ['--columns' as string]: columns }}
      >
        <div role="row" className={styles.head}>
          <div role="columnheader" className={styles.corner}>
            {zone.replaceAll('_', ' ')}
          </div>
          {days.map((day, index) => (
            <div
              key={day.date}
              role="columnheader"
              className={styles.dayHead}
              data-today={index === today}
              aria-current={index === today ? 'date' : undefined}
            >
              <DayHead day={day} zone={zone} onDay={onDay} />
            </div>
          ))}
        </div>
        <div role="rowgroup">
          {shown.map((lane) => (
            <LaneRow
              key={lane.key}
              lane={lane}
              days={days}
              zone={zone}
              today={today}
              onOpen={openLane}
              onPin={unpin}
            />
          ))}
        </div>
        {lanes.length > MOST_LANES && (
          <Button variant="subtle" fullWidth onClick={() => setShowsAll(!showsAll)}>
            {showsAll ? 'Fewer lanes' : `${lanes.length - MOST_LANES} more lanes`}
          </Button>
        )}
        {(sparse.length > 0 || lanes.length === 0) && (
          <Grid
            table={table}
            days={days}
            zone={zone}
            today={today}
            nowHour={nowHour}
            now={now}
            onOpen={onEvent}
            onMore={onEvents}
          />
        )}
      </div>
    </SharedTooltip>
  );
}

function unpin(lane: Lane): void {
  prefer({ pinned: preferences().pinned.filter((key) => key !== lane.key) });
}

interface DayHeadProps {
  day: Day;
  zone: string;
  onDay: ((date: string) => void) | null;
}

function DayHead({ day, zone, onDay }: DayHeadProps): JSX.Element {
  const text = `${dayName(day.start, zone)}${dayLength(day)}`;
  if (onDay === null) return <span className={styles.dayName}>{text}</span>;
  return (
    <button
      type="button"
      className={styles.dayName}
      aria-label={`${text}. Show this day`}
      onClick={() => onDay(day.date)}
    >
      {text}
    </button>
  );
}

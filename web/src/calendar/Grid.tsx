import { Fragment, type JSX, type KeyboardEvent, memo } from 'react';
import type { CalendarEvent } from '../api/contract';
import { clock } from '../lib/time';
import { slotLook } from '../ui/status';
import type { Day } from './days';
import styles from './grid.module.css';
import { useOwnZone } from './jobZones';
import type { Cell, Timetable } from './timetable';
import { slotAt, slotClock, slotLabel, slotTip } from './words';

interface GridProps {
  table: Timetable;
  days: readonly Day[];
  zone: string;
  today: number;
  nowHour: number | null;
  now: number;
  onOpen: (event: CalendarEvent) => void;
  onMore: (events: readonly CalendarEvent[]) => void;
}

const hourText = (hour: number) => `${String(hour).padStart(2, '0')}:00`;

/** The slots of jobs that run seldom, by hour and day. */
export function Grid(props: GridProps): JSX.Element {
  const { table, days, nowHour, now, zone, today } = props;
  return (
    // The keys move between the slots' own buttons.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div role="rowgroup" className={styles.grid} onKeyDown={moveFocus}>
      {table.rows.map((row) => {
        if (row.kind === 'empty') {
          return (
            <div key={`empty ${row.from}`} role="row" className={styles.fold}>
              <div role="rowheader" className={styles.hour}>
                {hourText(row.from)} – {hourText(row.to % 24)}
              </div>
              {days.map((day, index) => (
                <div
                  key={day.date}
                  role="cell"
                  className={styles.foldCell}
                  data-today={index === today}
                />
              ))}
            </div>
          );
        }
        const isNow = row.hour === nowHour;
        return (
          <div key={row.hour} role="row" className={styles.row} data-now={isNow || undefined}>
            <div role="rowheader" className={styles.hour}>
              {hourText(row.hour)}
              {isNow && <span className={styles.nowTime}>{clock(now, zone)}</span>}
            </div>
            {days.map((day, index) => (
              <HourCell
                key={day.date}
                cell={table.cells[row.hour]?.[index]}
                hour={row.hour}
                day={day}
                zone={zone}
                isToday={index === today}
                now={isNow && index === today ? now : null}
                onOpen={props.onOpen}
                onMore={props.onMore}
              />
            ))}
          </div>
        );
      })}
    </div>
  );
}

interface HourCellProps {
  cell: Cell | undefined;
  hour: number;
  day: Day;
  zone: string;
  isToday: boolean;
  /** The present, in the cell that holds it. */
  now: number | null;
  onOpen: (event: CalendarEvent) => void;
  onMore: (events: readonly CalendarEvent[]) => void;
}

const HourCell = memo(function HourCell(props: HourCellProps): JSX.Element {
  const { cell, hour, day, zone, isToday, now, onOpen, onMore } = props;
  const note = day.notes.get(hour);
  const shown = cell?.shown ?? [];
  const isAhead = (event: CalendarEvent) => now !== null && slotAt(event) >= now;
  const lineAt = now === null ? -1 : shown.filter((event) => !isAhead(event)).length;
  const hidden = (cell?.all.length ?? 0) - shown.length;
  return (
    <div role="cell" className={styles.cell} data-today={isToday} data-note={note?.kind}>
      {note && <span className={styles.odd}>{note.text}</span>}
      {shown.map((event, index) => (
        <Fragment key={event.event_id}>
          {index === lineAt && <NowLine />}
          <Chip event={event} time={slotClock(event, zone, day)} zone={zone} onOpen={onOpen} />
        </Fragment>
      ))}
      {lineAt === shown.length && <NowLine />}
      {cell && hidden > 0 && (
        <button
          type="button"
          className={styles.more}
          data-chip
          aria-label={`${hidden} more slots from ${hourText(hour)}. Show all`}
          onClick={() => onMore(cell.all)}
        >
          +{hidden} more
        </button>
      )}
    </div>
  );
});

const NowLine = () => <span className={styles.line} data-now-line aria-hidden="true" />;

interface ChipProps {
  event: CalendarEvent;
  time: string;
  zone: string;
  onOpen: (event: CalendarEvent) => void;
}

function Chip({ event, time, zone, onOpen }: ChipProps): JSX.Element {
  const look = slotLook(event);
  return (
    <button
      type="button"
      className={styles.chip}
      data-chip
      data-event={event.event_id}
      data-tone={look.tone}
      data-tip={slotTip(event, zone, useOwnZone(event.source_ref, zone))}
      onClick={() => onOpen(event)}
    >
      <span className={styles.glyph} aria-hidden="true">
        {look.tone === 'next' ? '' : look.glyph}
      </span>
      <span className="sr-only">{slotLabel(event, time)}</span>
      <span className={styles.time} aria-hidden="true">
        {time}
      </span>
      <span className={styles.title} aria-hidden="true">
        {event.title}
      </span>
    </button>
  );
}

/** Arrow keys go from slot to slot: up and down a day, left and right between days. */
function moveFocus(event: KeyboardEvent<HTMLDivElement>): void {
  const { key } = event;
  if (!['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'].includes(key)) return;
  if (!(event.target instanceof HTMLElement) || !event.target.matches('[data-chip]')) return;
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-chip]')];
  const here = event.target.getBoundingClientRect();
  const isSideways = key === 'ArrowLeft' || key === 'ArrowRight';
  const sign = key === 'ArrowDown' || key === 'ArrowRight' ? 1 : -1;
  let best: { element: HTMLElement; cost: number } | null = null;
  for (const element of all) {
    const box = element.getBoundingClientRect();
    const across = (box.left - here.left) * (isSideways ? sign : 1);
    const down = (box.top - here.top) * (isSideways ? 1 : sign);
    const isCandidate = isSideways ? across > 8 : Math.abs(across) < 8 && down > 2;
    if (!isCandidate) continue;
    const cost = isSideways ? across * 10 + Math.abs(down) : down;
    if (best === null || cost < best.cost) best = { element, cost };
  }
  event.preventDefault();
  best?.element.focus();
}

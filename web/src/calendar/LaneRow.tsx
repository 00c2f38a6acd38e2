import { type JSX, memo } from 'react';
import { Icon } from '../ui/icons';
import { SOURCE_ICON } from '../ui/status';
import { longDay } from '../lib/time';
import type { Day } from './days';
import { type Bar, barTotal, type Lane, type LaneDay } from './density';
import styles from './lanes.module.css';

interface LaneRowProps {
  lane: Lane;
  days: readonly Day[];
  zone: string;
  today: number;
  onOpen: (lane: Lane, dayIndex: number) => void;
  onPin: ((lane: Lane) => void) | null;
}

/** One lane: a job that runs often, or a session's heartbeats, as bars by the hour. */
export const LaneRow = memo(function LaneRow(props: LaneRowProps): JSX.Element {
  const { lane, days, zone, today, onOpen, onPin } = props;
  return (
    <div className={styles.lane} data-source={lane.source} role="row">
      <div className={styles.name} role="rowheader">
        <span className={styles.icon} aria-hidden="true">
          {SOURCE_ICON[lane.source]}
        </span>
        <span className={styles.words}>
          <span className={styles.title} title={lane.title}>
            {lane.title}
          </span>
          <span className={styles.note} title={lane.note}>
            {lane.note}
          </span>
        </span>
        {onPin && lane.is_pinned && (
          <button
            type="button"
            className={styles.pin}
            aria-label={`Unpin ${lane.title}`}
            onClick={() => onPin(lane)}
          >
            <Icon name="pin" size={14} />
          </button>
        )}
      </div>
      {days.map((day, index) => {
        const tally = lane.days[index];
        if (!tally) return null;
        return (
          <div key={day.date} role="cell" className={styles.slotCell} data-today={index === today}>
            <button
              type="button"
              className={styles.day}
              aria-label={label(lane, tally, longDay(day.start, zone))}
              data-tip={tip(lane, tally, longDay(day.start, zone))}
              onClick={() => onOpen(lane, index)}
            >
              <Bars tally={tally} most={lane.most} />
              <Counts tally={tally} />
            </button>
          </div>
        );
      })}
    </div>
  );
});

function label(lane: Lane, tally: LaneDay, day: string): string {
  const { total, failed, missed } = tally;
  return `${lane.title}, ${day}: ${total} slots, ${failed} failed, ${missed} missed. Show list`;
}

function tip(lane: Lane, { total, failed, missed }: LaneDay, day: string): string {
  const problems = [failed > 0 ? `${failed} failed` : '', missed > 0 ? `${missed} missed` : ''];
  return [lane.title, day, [`${total} slots`, ...problems].filter(Boolean).join(', ')].join('\n');
}

function Counts({ tally }: { tally: LaneDay }): JSX.Element {
  return (
    <span className={styles.counts} aria-hidden="true">
      {tally.failed > 0 && <b data-tone="bad">{tally.failed}✕</b>}
      {tally.missed > 0 && <b data-tone="miss">{tally.missed}!</b>}
      {tally.total > 0 && <span>{tally.total}</span>}
    </span>
  );
}

const HEIGHT = 20;
/** A problem is never drawn lower than this, however many slots went well beside it. */
const LEAST_PROBLEM = 7;

/** From bottom to top: what went well, then what did not. */
function pieces(bar: Bar, most: number): { tone: string; y: number; height: number }[] {
  const scale = HEIGHT / most;
  const full = Math.max(4, barTotal(bar) * scale);
  const parts: [tone: string, count: number, least: number][] = [
    ['ok', bar.done, 0],
    ['off', bar.off, 0],
    ['run', bar.running, 5],
    ['miss', bar.missed, LEAST_PROBLEM],
    ['bad', bar.failed, LEAST_PROBLEM],
  ];
  const wanted = parts
    .filter(([, count]) => count > 0)
    .map(([tone, count, least]) => ({ tone, size: Math.max(least, count * scale) }));
  const sum = wanted.reduce((total, part) => total + part.size, 0);
  const shrink = sum > HEIGHT ? HEIGHT / sum : 1;
  let y = HEIGHT;
  return wanted.map(({ tone, size }) => {
    const height = wanted.length === 1 ? Math.max(full, size) : size * shrink;
    y -= height;
    return { tone, y, height };
  });
}

function Bars({ tally, most }: { tally: LaneDay; most: number }): JSX.Element {
  const { bars } = tally;
  const pitch = 4;
  return (
    <svg
      className={styles.bars}
      viewBox={`0 0 ${bars.length * pitch} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {bars.map((bar, hour) => {
        if (!bar) return null;
        // What has been and what is to come are never one bar.
        const isSplit = bar.ahead > 0 && barTotal(bar) > bar.ahead;
        const width = isSplit ? 1.5 : 3.2;
        const x = hour * pitch + 0.4;
        const ahead = Math.max(4, (bar.ahead / most) * HEIGHT);
        return (
          <g key={hour}>
            {pieces({ ...bar, ahead: 0 }, most).map(({ tone, y, height }) => (
              <rect key={tone} data-tone={tone} x={x} y={y} width={width} height={height} />
            ))}
            {bar.ahead > 0 && (
              <rect
                data-tone="next"
                x={isSplit ? x + 1.7 : x}
                y={HEIGHT - ahead}
                width={width}
                height={ahead}
              />
            )}
          </g>
        );
      })}
    </svg>
  );
}

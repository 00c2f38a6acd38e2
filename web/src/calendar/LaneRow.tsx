import { type JSX, memo } from 'react';
import { longDay } from '../lib/time';
import { Icon } from '../ui/icons';
import { SOURCE_ICON } from '../ui/status';
import { BAR_HEIGHT, BAR_PITCH, barPaths } from './bars';
import type { Day } from './days';
import type { Lane, LaneDay } from './density';
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
    <div className={styles.lane} role="row">
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
              data-tip={tip(lane, tally, longDay(day.start, zone))}
              onClick={() => onOpen(lane, index)}
            >
              <span className="sr-only">{label(lane, tally, longDay(day.start, zone))}</span>
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

function Bars({ tally, most }: { tally: LaneDay; most: number }): JSX.Element {
  const { bars } = tally;
  return (
    <svg
      className={styles.bars}
      viewBox={`0 0 ${bars.length * BAR_PITCH} ${BAR_HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {barPaths(bars, most).map(([tone, path]) => (
        <path key={tone} data-tone={tone} d={path} />
      ))}
    </svg>
  );
}

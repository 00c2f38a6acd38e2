import { ActionIcon, Button, SegmentedControl } from '@mantine/core';
import type { JSX, RefObject } from 'react';
import { dayName, longDay, monthName } from '../lib/time';
import { FilterBox } from '../ui/FilterBox';
import { Icon } from '../ui/icons';
import type { Day } from './days';
import styles from './Toolbar.module.css';
import { type SourceFilter, VIEWS, type ViewControls } from './useView';

interface ToolbarProps {
  view: ViewControls;
  days: readonly Day[];
  zone: string;
  filterBox: RefObject<HTMLInputElement | null>;
}

function rangeText(view: ViewControls, days: readonly Day[], zone: string): string {
  const [first, last] = [days[0], days.at(-1)];
  if (!first || !last) return '';
  if (view.view === 'day') return longDay(first.start, zone);
  if (view.view === 'month') {
    const inside = days.find((day) => day.date.startsWith(view.date.slice(0, 7))) ?? first;
    return monthName(inside.start, zone);
  }
  return `${dayName(first.start, zone)} – ${dayName(last.start, zone)} ${last.date.slice(0, 4)}`;
}

const NAMES = { week: 'Week', day: 'Day', list: 'List', month: 'Month' };

/** Where in time, which view, and what of it. */
export function Toolbar({ view, days, zone, filterBox }: ToolbarProps): JSX.Element {
  return (
    <div className={styles.bar}>
      <div className={styles.group}>
        <ActionIcon variant="default" size={30} aria-label="Back" onClick={() => view.step(-1)}>
          <Icon name="left" size={16} />
        </ActionIcon>
        <ActionIcon variant="default" size={30} aria-label="On" onClick={() => view.step(1)}>
          <Icon name="right" size={16} />
        </ActionIcon>
        <Button onClick={view.toToday} disabled={view.dates.includes(view.today)}>
          Today
        </Button>
      </div>
      <p className={styles.range} aria-live="polite">
        {rangeText(view, days, zone)}
      </p>
      <div className={styles.filters}>
        <FilterBox
          box={filterBox}
          className={styles.filter}
          label="Filter by title"
          placeholder="Filter  /"
          value={view.q}
          onChange={(q) => view.set({ q })}
        />
        <SegmentedControl
          size="xs"
          aria-label="Source"
          value={view.source}
          onChange={(value) => view.set({ source: sourceOf(value) })}
          data={[
            { value: 'all', label: 'All' },
            { value: 'cron', label: '◷ Cron' },
            { value: 'heartbeat', label: '♥ Heartbeat' },
          ]}
        />
        <Button
          variant={view.problems ? 'filled' : 'default'}
          aria-pressed={view.problems}
          onClick={() => view.set({ problems: !view.problems })}
        >
          Problems
        </Button>
        <SegmentedControl
          size="xs"
          aria-label="View"
          value={view.view}
          onChange={(value) => {
            const next = VIEWS.find((each) => each === value);
            if (next) view.set({ view: next });
          }}
          data={VIEWS.map((value) => ({ value, label: NAMES[value] }))}
        />
      </div>
    </div>
  );
}

const sourceOf = (value: string): SourceFilter =>
  value === 'cron' || value === 'heartbeat' ? value : 'all';

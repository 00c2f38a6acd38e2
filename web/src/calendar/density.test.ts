import { describe, expect, it } from 'vitest';
import { datesFrom } from '../lib/dates';
import { demoEvents, demoRows } from '../test/demoWeek';
import { event } from '../test/factories';
import { barPaths } from './bars';
import { dayOf, HOUR, workedOutDay } from './days';
import { laneOfRow, Splitter } from './density';
import { chosen, TimetableMaker } from './timetable';

const start = Date.parse('2026-11-15T00:00:00Z');
const now = start + 3.6 * 24 * HOUR;
const days = datesFrom('2026-11-15', 7).map((date) => dayOf(workedOutDay(date, 'UTC'), 'UTC'));
const week = demoEvents(start, 7, now);
const rows = demoRows(start, 7, now);

describe('a busy week', () => {
  const { lanes, sparse } = new Splitter().split(week, rows, days, []);

  it('loses no slot between lanes and grid', () => {
    const inLanes = lanes.filter((lane) => lane.events).reduce((sum, lane) => sum + lane.total, 0);
    expect(inLanes + sparse.length).toBe(week.length);
    const table = new TimetableMaker().make(sparse, days, 4, null);
    const inGrid = table.cells.flat().reduce((sum, cell) => sum + (cell?.all.length ?? 0), 0);
    expect(inGrid).toBe(sparse.length);
  });

  it('shows what runs often as lanes, those with problems first', () => {
    expect(lanes.length).toBeGreaterThan(5);
    const calm = lanes.findIndex((lane) => lane.problems === 0);
    const rest = calm < 0 ? [] : lanes.slice(calm);
    expect(rest.every((lane) => lane.problems === 0)).toBe(true);
    expect(sparse.length).toBeLessThan(300);
  });
});

describe('one changed slot', () => {
  const changeOne = (index: number) =>
    week.map((each, i) => (i === index ? { ...each, status: 'failed' as const } : each));

  it('changes only its own lane', () => {
    const splitter = new Splitter();
    const before = splitter.split(week, rows, days, []);
    const index = week.findIndex((each) => each.source_ref === 'inbox');
    const after = splitter.split(changeOne(index), rows, days, []);
    const same = after.lanes.filter((lane) => before.lanes.includes(lane));
    expect(same).toHaveLength(after.lanes.length - 1);
  });

  it('changes only its own cell', () => {
    const splitter = new Splitter();
    const maker = new TimetableMaker();
    const before = maker.make(splitter.split(week, rows, days, []).sparse, days, 4, null);
    const index = week.findIndex((each) => each.source_ref === 'daily0');
    const { sparse } = splitter.split(changeOne(index), rows, days, []);
    const after = maker.make(sparse, days, 4, null);
    const old = before.cells.flat();
    expect(after.cells.flat().filter((cell, i) => cell !== old[i])).toHaveLength(1);
  });
});

describe('density', () => {
  it('makes a lane of a pinned job that runs seldom', () => {
    const events = [event(start + HOUR)];
    expect(new Splitter().split(events, [], days, []).lanes).toHaveLength(0);
    expect(new Splitter().split(events, [], days, ['cron|job1']).lanes).toHaveLength(1);
  });

  it('has 25 bars on a day of 25 hours', () => {
    const long = [dayOf(workedOutDay('2026-10-25', 'Europe/Berlin'), 'Europe/Berlin')];
    const lane = laneOfRow(
      {
        source: 'cron',
        source_ref: 'x',
        title: 'x',
        hourly: [{ start_utc: '2026-10-25T22:00:00Z', counts: { success: 3 } }],
      },
      long,
    );
    expect(lane.days[0]?.bars).toHaveLength(25);
    expect(lane.days[0]?.bars[24]?.done).toBe(3);
  });

  it('never draws what has been and what is to come as one bar', () => {
    const bar = { done: 2, failed: 1, missed: 0, running: 0, ahead: 3, off: 0 };
    const tones = barPaths([bar], 6).map(([tone]) => tone);
    expect(tones).toEqual(['ok', 'bad', 'next']);
  });
});

describe('a full cell', () => {
  it('shows problems first, in the order of time', () => {
    const all = Array.from({ length: 8 }, (_, i) =>
      event(start + i * 60_000, { status: i === 6 ? 'failed' : 'success' }),
    );
    const shown = chosen(all, 4);
    expect(shown).toHaveLength(3);
    expect(shown.at(-1)?.status).toBe('failed');
    expect(chosen(all.slice(0, 4), 4)).toHaveLength(4);
  });
});

describe('the timetable', () => {
  it('folds hours in which nothing is due, but not the present one', () => {
    const events = [event(start + 9 * HOUR), event(start + 10 * HOUR)];
    const { rows: table } = new TimetableMaker().make(events, days, 4, 15);
    expect(table).toEqual([
      { kind: 'empty', from: 0, to: 9 },
      { kind: 'hour', hour: 9 },
      { kind: 'hour', hour: 10 },
      { kind: 'empty', from: 11, to: 15 },
      { kind: 'hour', hour: 15 },
      { kind: 'empty', from: 16, to: 24 },
    ]);
  });

  it('never folds an hour that the clock skips or repeats', () => {
    const spring = [dayOf(workedOutDay('2026-03-29', 'Europe/Berlin'), 'Europe/Berlin')];
    const { rows: table } = new TimetableMaker().make([], spring, 4, null);
    expect(table).toContainEqual({ kind: 'hour', hour: 2 });
  });
});

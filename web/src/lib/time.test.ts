import { describe, expect, it } from 'vitest';
import { addMonths, monthDates, weekStart } from './dates';
import {
  clock,
  dayClock,
  duration,
  elapsed,
  isoDate,
  localInput,
  relative,
  zoneName,
} from './time';

const at = Date.parse('2026-10-25T00:30:00Z');

describe('times', () => {
  it('shows an instant in the zone that was asked for', () => {
    expect(clock(at, 'Asia/Kolkata')).toBe('06:00');
    expect(dayClock(at, 'UTC')).toBe('Sun 25 Oct 00:30');
    expect(isoDate(at, 'America/New_York')).toBe('2026-10-24');
    expect(localInput(at, 'Europe/Berlin')).toBe('2026-10-25T02:30');
  });

  it('tells the two halves of a repeated hour apart', () => {
    expect(zoneName(at, 'Europe/Berlin')).not.toBe(zoneName(at + 3_600_000, 'Europe/Berlin'));
    expect(clock(at, 'Europe/Berlin')).toBe(clock(at + 3_600_000, 'Europe/Berlin'));
  });

  it('says durations in two units at most', () => {
    expect(duration(38)).toBe('38 s');
    expect(duration(18_720)).toBe('5 h 12 m');
    expect(duration(86_400)).toBe('1 d');
    expect(duration(0)).toBe('0 s');
    expect(duration(12 * 3600 + 60)).toBe('12 h');
    expect(elapsed(0.0123)).toBe('12 ms');
    expect(elapsed(4.21)).toBe('4.2 s');
  });

  it('says how far away an instant is', () => {
    expect(relative(at + 180_000, at)).toBe('in 3 m');
    expect(relative(at - 240_000, at)).toBe('4 m ago');
    expect(relative(at, at)).toBe('now');
  });
});

describe('dates', () => {
  it('begin their week on Sunday', () => {
    expect(weekStart('2026-11-19')).toBe('2026-11-15');
    expect(weekStart('2026-11-15')).toBe('2026-11-15');
  });

  it('step by months from the first', () => {
    expect(addMonths('2026-01-31', 1)).toBe('2026-02-01');
    expect(addMonths('2026-01-31', -1)).toBe('2025-12-01');
  });

  it('fill whole weeks around a month', () => {
    const dates = monthDates('2026-11-19');
    expect(dates[0]).toBe('2026-11-01');
    expect(dates).toHaveLength(35);
    expect(dates.at(-1)).toBe('2026-12-05');
  });
});

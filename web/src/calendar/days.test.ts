import { describe, expect, it } from 'vitest';
import { type Day, dayIndexAt, dayOf, HOUR, startOfDate, wallHour, workedOutDay } from './days';

const at = (text: string) => Date.parse(text);
const day = (date: string, zone: string): Day => dayOf(workedOutDay(date, zone), zone);

describe('days of a zone', () => {
  it('begin at midnight where there is one', () => {
    expect(startOfDate('2026-11-19', 'UTC')).toBe(at('2026-11-19T00:00Z'));
    expect(startOfDate('2026-11-19', 'Asia/Kolkata')).toBe(at('2026-11-18T18:30Z'));
  });

  it('begin at 01:00 where the clock skips midnight', () => {
    const cairo = day('2026-04-24', 'Africa/Cairo');
    expect(cairo.start).toBe(at('2026-04-23T22:00Z'));
    expect(cairo.end - cairo.start).toBe(23 * HOUR);
    expect(wallHour(cairo, cairo.start)).toBe(1);
    expect(cairo.notes.get(0)?.kind).not.toBe('repeated');
  });

  it('leave the day before whole where the clock skips midnight', () => {
    const before = day('2026-03-07', 'America/Havana');
    expect(before.end - before.start).toBe(24 * HOUR);
    expect(day('2026-03-08', 'America/Havana').hours).toBe(23);
  });

  it('have 25 hours in autumn, and tell which hour happens twice', () => {
    const autumn = day('2026-10-25', 'Europe/Berlin');
    expect(autumn.hours).toBe(25);
    expect(autumn.notes.get(2)).toEqual({ kind: 'repeated', text: '02:00–03:00 happens twice' });
    expect(wallHour(autumn, at('2026-10-25T00:30Z'))).toBe(2);
    expect(wallHour(autumn, at('2026-10-25T01:30Z'))).toBe(2);
    expect(wallHour(autumn, at('2026-10-25T02:30Z'))).toBe(3);
  });

  it('have 23 hours in spring, and tell which hour does not exist', () => {
    const spring = day('2026-03-29', 'Europe/Berlin');
    expect(spring.hours).toBe(23);
    expect(spring.notes.get(2)).toEqual({ kind: 'skipped', text: '02:00–03:00 does not exist' });
    expect(wallHour(spring, at('2026-03-29T01:10Z'))).toBe(3);
  });

  it('may change by half an hour', () => {
    const autumn = day('2026-04-05', 'Australia/Lord_Howe');
    expect(autumn.end - autumn.start).toBe(24.5 * HOUR);
    expect(autumn.notes.get(1)?.text).toBe('01:30–02:00 happens twice');
    const spring = day('2026-10-04', 'Australia/Lord_Howe');
    expect(spring.notes.get(2)).toEqual({
      kind: 'partly_skipped',
      text: '02:00–02:30 does not exist',
    });
  });

  it('are found by an instant', () => {
    const days = ['2026-10-24', '2026-10-25', '2026-10-26'].map((d) => day(d, 'Europe/Berlin'));
    expect(dayIndexAt(days, at('2026-10-25T22:30Z'))).toBe(1);
    expect(dayIndexAt(days, at('2026-10-25T23:00Z'))).toBe(2);
    expect(dayIndexAt(days, at('2026-10-30T00:00Z'))).toBe(-1);
  });
});

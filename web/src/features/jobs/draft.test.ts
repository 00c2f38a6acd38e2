import { describe, expect, it } from 'vitest';
import { job } from '../../test/factories';
import { createFields, draftOf, editFields, newDraft, scheduleFields } from './draft';

describe('a schedule in one field', () => {
  it('is an interval, a cron line, an instant, or words for the gateway', () => {
    expect(scheduleFields('every 30m')).toEqual({ every: '30m' });
    expect(scheduleFields('1h 30m')).toEqual({ every: '1h30m' });
    expect(scheduleFields('0 9 * * 1-5')).toEqual({ cron_expr: '0 9 * * 1-5' });
    expect(scheduleFields('*/10 * * * * *')).toEqual({ cron_expr: '*/10 * * * * *' });
    expect(scheduleFields('@daily')).toEqual({ cron_expr: '@daily' });
    expect(scheduleFields('2026-12-01T09:00')).toEqual({ run_at: '2026-12-01T09:00' });
    expect(scheduleFields('every weekday at 9am')).toEqual({ schedule: 'every weekday at 9am' });
    expect(scheduleFields('next monday at 7 am')).toEqual({ schedule: 'next monday at 7 am' });
  });
});

describe('a job draft', () => {
  it('sends what a new job needs', () => {
    const draft = { ...newDraft('Europe/Berlin'), command: 'date', schedule: 'every 5m' };
    expect(createFields(draft)).toMatchObject({
      command: 'date',
      every: '5m',
      timezone: 'Europe/Berlin',
      on_miss: 'ask',
    });
    expect(createFields(draft)).not.toHaveProperty('title');
  });

  it('sends nothing when nothing was changed', () => {
    expect(editFields(draftOf(job()), job())).toEqual({});
  });

  it('leaves the schedule alone unless that was changed', () => {
    const draft = { ...draftOf(job()), title: 'Evening brief' };
    expect(editFields(draft, job())).toEqual({ title: 'Evening brief' });
    expect(editFields({ ...draft, schedule: 'every 1h' }, job())).toEqual({
      title: 'Evening brief',
      every: '1h',
      timezone: 'UTC',
    });
  });

  it('keeps the other metadata when the session changes', () => {
    const known = job({ metadata: { channel: 'mail', session_id: 'atlas' } });
    const draft = { ...draftOf(known), session_id: '' };
    expect(editFields(draft, known)).toEqual({ metadata: { channel: 'mail' } });
  });
});

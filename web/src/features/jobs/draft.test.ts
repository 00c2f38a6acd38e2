import { describe, expect, it } from 'vitest';
import { job } from '../../test/factories';
import { createFields, draftOf, editFields, newDraft, scheduleFields } from './draft';

describe('a schedule in one field', () => {
  it('is for the gateway to read, whatever kind it is', () => {
    for (const text of ['every 30m', '30m', '0 9 * * 1-5', '2026-12-01T09:00', 'weekdays at 9am']) {
      expect(scheduleFields(` ${text} `)).toEqual({ schedule: text });
    }
  });
});

describe('a job draft', () => {
  it('sends what a new job needs', () => {
    const draft = { ...newDraft('Europe/Berlin'), command: 'date', schedule: 'every 5m' };
    expect(createFields(draft)).toMatchObject({
      command: 'date',
      schedule: 'every 5m',
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
      schedule: 'every 1h',
      timezone: 'UTC',
    });
  });

  it('keeps the other metadata when the session changes', () => {
    const known = job({ metadata: { channel: 'mail', session_id: 'atlas' } });
    const draft = { ...draftOf(known), session_id: '' };
    expect(editFields(draft, known)).toEqual({ metadata: { channel: 'mail' } });
  });
});

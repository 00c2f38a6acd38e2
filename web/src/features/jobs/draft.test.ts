import { describe, expect, it } from 'vitest';
import { job } from '../../test/factories';
import { createFields, draftOf, editFields, errorsIn, newDraft, scheduleText } from './draft';
import { durationText, secondsOf } from './durations';
import { failOnDraft, failOnOf } from './failOn';

describe('a job draft', () => {
  it('leaves the reading of a schedule to the gateway', () => {
    for (const schedule of ['30m', 'every 5m', '0 9 * * 1-5', '2026-12-01T09:00', '@daily']) {
      const draft = { ...newDraft('Europe/Berlin'), command: 'date', schedule };
      expect(createFields(draft)).toEqual({ command: 'date', schedule, timezone: 'Europe/Berlin' });
    }
  });

  it('sends nothing when nothing was changed', () => {
    expect(editFields(draftOf(job()), job())).toEqual({});
    const full = job({
      fail_on: { output: ['limit'], exit_codes: [2], json: { ok: false } },
      useful_for_seconds: 5_400,
      metadata: { tags: ['mail', 'daily'], priority: 'critical', wake_heartbeat: false, own: 1 },
    });
    expect(editFields(draftOf(full), full)).toEqual({});
  });

  it('follows the cadence until a policy is chosen, and again when it is taken away', () => {
    const both = ['on_miss', 'useful_for_seconds'];
    const follows = job({ on_miss: 'skip', useful_for_seconds: 600, follows_cadence: both });
    const draft = draftOf(follows);
    expect(editFields(draft, follows)).toEqual({});
    expect(editFields({ ...draft, on_miss: 'ask' }, follows)).toEqual({ on_miss: 'ask' });
    const asks = job({ on_miss: 'ask' });
    expect(editFields({ ...draftOf(asks), on_miss: '' }, asks)).toEqual({ on_miss: null });
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

  it('keeps the other metadata when one of its parts changes', () => {
    const known = job({ metadata: { channel: 'mail', session_id: 'atlas', own: 1 } });
    const draft = { ...draftOf(known), session_id: '', tags: 'a, b, a' };
    expect(editFields(draft, known)).toEqual({
      metadata: { channel: 'mail', own: 1, tags: ['a', 'b'] },
    });
  });

  it('sends every policy that was changed', () => {
    const draft = {
      ...draftOf(job()),
      useful_for: '2h',
      grace: '90s',
      retries: '3',
      retry_backoff: '10s, 1m',
      on_miss: 'run_latest' as const,
      retry_interrupted: '5',
    };
    expect(editFields(draft, job())).toEqual({
      useful_for_seconds: 7_200,
      misfire_grace_seconds: 90,
      retries: 3,
      retry_backoff: [10, 60],
      on_miss: 'run_latest',
      retry_interrupted: 5,
    });
  });

  it('names the fields that cannot be sent', () => {
    const draft = { ...newDraft('UTC'), timeout: 'long', retries: '-1', retry_backoff: '1m, x' };
    expect(Object.keys(errorsIn(draft)).sort()).toEqual(['retries', 'retry_backoff', 'timeout']);
    const rules = { ...draft.fail_on, json: '{' };
    expect(errorsIn({ ...newDraft('UTC'), fail_on: rules })).toHaveProperty('fail_on');
  });
});

describe('durations', () => {
  it.each([
    ['90', 90],
    ['1h30m', 5_400],
    ['1h 30m', 5_400],
    ['2d', 172_800],
    ['soon', null],
    ['', null],
  ])('%s', (text, seconds) => expect(secondsOf(text)).toBe(seconds));

  it('are written as they are read', () => {
    for (const seconds of [0, 1, 59, 90, 3_600, 5_430, 100_000]) {
      expect(secondsOf(durationText(seconds))).toBe(seconds);
    }
  });

  it('make an interval that the gateway reads', () => {
    expect(scheduleText(job({ cron_expr: null, every_seconds: 5_400 }))).toBe('every 1h30m');
  });
});

describe('the rules of failure', () => {
  it('are the same after a turn through the form', () => {
    const rules = { preset: 'claude', output: ['a', 'b c'], missing: ['done'], exit_codes: [2, 3] };
    expect(failOnOf(failOnDraft(rules))).toEqual(rules);
    expect(failOnOf(failOnDraft('codex'))).toEqual({ preset: 'codex' });
    expect(failOnOf(failOnDraft(null))).toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { event, feed, job, run } from '../test/factories';
import type { RunPage } from '../api/contract';
import { applyRunToJobs, keepRows, upsertRows, upsertRun, upsertRunPages } from './apply';
import { RowJournal } from './journal';

const at = (hour: number) => Date.parse('2026-11-19T00:00:00Z') + hour * 3_600_000;
const slots = [event(at(1)), event(at(2)), event(at(3))];

describe('rows into a feed', () => {
  it('change the one they name and keep the identity of the others', () => {
    const before = feed({ events: slots });
    const after = upsertRows(before, [event(at(2), { status: 'running' })]);
    expect(after.events[1]?.status).toBe('running');
    expect(after.events[0]).toBe(slots[0]);
    expect(after.events[2]).toBe(slots[2]);
  });

  it('leave the feed as it is when they say nothing new', () => {
    const before = feed({ events: slots });
    expect(upsertRows(before, [event(at(2))])).toBe(before);
  });

  it('put a new slot where it belongs in time', () => {
    const before = feed({ events: slots });
    const after = upsertRows(before, [event(at(1.5), { source_ref: 'other' })]);
    expect(after.events.map((row) => row.source_ref)).toEqual(['job1', 'other', 'job1', 'job1']);
  });

  it('leave out what lies outside the window', () => {
    const before = feed({ events: slots });
    expect(upsertRows(before, [event(at(24 * 30), { source_ref: 'other' })])).toBe(before);
  });

  it('apply one after another, the last one winning', () => {
    const rows = [event(at(2), { status: 'running' }), event(at(2), { status: 'success' })];
    expect(upsertRows(feed({ events: slots }), rows).events[1]?.status).toBe('success');
  });

  it('find their places again after a slot was put in', () => {
    const grown = upsertRows(feed({ events: slots }), [event(at(0.5), { source_ref: 'other' })]);
    const after = upsertRows(grown, [event(at(3), { status: 'failed' })]);
    expect(after.events[3]?.status).toBe('failed');
  });
});

describe('a fetched feed', () => {
  it('keeps the rows that are still the same', () => {
    const old = feed({ events: slots });
    const fresh = feed({
      events: [event(at(1)), event(at(2), { status: 'failed' }), event(at(3))],
    });
    const kept = keepRows(old, fresh);
    expect(kept.events[0]).toBe(slots[0]);
    expect(kept.events[1]?.status).toBe('failed');
  });

  it('keeps the whole list when nothing changed', () => {
    const old = feed({ events: slots });
    expect(keepRows(old, feed({ events: slots.map((slot) => ({ ...slot })) })).events).toBe(slots);
  });

  it('is the same object when it is equal, whether it was fetched again or not', () => {
    const old = feed({ events: slots });
    expect(keepRows(old, old)).toBe(old);
    expect(keepRows(old, feed({ events: slots.map((slot) => ({ ...slot })) }))).toBe(old);
  });

  it.each([
    ['its local time', { scheduled_at_local: '2026-11-19T09:00:00+07:00' }],
    ['its session', { session_id: 'another' }],
    ['its channel', { channel: 'another' }],
    ['its owner', { owner_id: 'another' }],
  ])('has a row anew when only %s changed', (_field, change) => {
    const old = feed({ events: slots });
    const fresh = feed({ events: [event(at(1), change), ...slots.slice(1)] });
    expect(keepRows(old, fresh).events[0]).toEqual(event(at(1), change));
  });

  it('keeps the rows that moved along in the list', () => {
    const old = feed({ events: slots });
    const fresh = feed({ events: [event(at(0.5)), ...slots.map((slot) => ({ ...slot }))] });
    expect(keepRows(old, fresh).events[1]).toBe(slots[0]);
  });

  it('gets what came in while it was on its way', () => {
    const journal = new RowJournal();
    journal.add([event(at(1), { status: 'failed' })]);
    const asked = journal.position;
    journal.add([event(at(2), { status: 'running' })]);
    const after = upsertRows(feed({ events: slots }), journal.since(asked));
    expect(after.events.map((row) => row.status)).toEqual(['scheduled', 'running', 'scheduled']);
    expect(journal.since(journal.position)).toEqual([]);
  });
});

describe('a run', () => {
  it('is put in front, or changes the one it is', () => {
    const runs = [run({ run_id: 'a', status: 'running', finished_at: null })];
    const record = { run_id: 'b', job_id: 'job1', status: 'running' as const, scheduled_at: 1 };
    expect(upsertRun(runs, record, 10).map((each) => each.run_id)).toEqual(['b', 'a']);
    const done = {
      ...record,
      run_id: 'a',
      status: 'success' as const,
      started_at: 1,
      finished_at: 3,
    };
    const [first] = upsertRun(runs, done, 10);
    expect(first).toMatchObject({
      status: 'success',
      duration_seconds: 2,
      output_preview: 'good morning',
    });
  });

  it('tells of its job: that it runs, when it will again, whether it fails', () => {
    const record = { run_id: 'a', job_id: 'job1', status: 'running' as const, scheduled_at: 1 };
    const [running] = applyRunToJobs([job()], record, { next_run_at: 99 });
    expect(running).toMatchObject({ running: true, next_run_at: 99 });
    const failed = { ...record, status: 'error' as const };
    const [after] = applyRunToJobs([job({ running: true })], failed, { consecutive_failures: 2 });
    expect(after).toMatchObject({ running: false, consecutive_failures: 2 });
  });
});

describe('a run into pages of runs', () => {
  const ids = (pages: readonly RunPage[]) =>
    pages.map((page) => page.runs.map((each) => each.run_id));
  const open = (run_id: string) => run({ run_id, status: 'running' });

  it('keeps the place of the next page when the last run of a page ends', () => {
    const pages = [{ runs: [open('r2')], next: 'r2' }];
    const after = upsertRunPages(pages, { ...open('r2'), status: 'success' }, false);
    expect(after).toEqual([{ runs: [], next: 'r2' }]);
  });

  it('puts a new one at the front and leaves pages alone that it is not on', () => {
    const pages = [
      { runs: [open('r3')], next: 'r3' },
      { runs: [open('r2')], next: null },
    ];
    const after = upsertRunPages(pages, open('r4'), true);
    expect(ids(after)).toEqual([['r4', 'r3'], ['r2']]);
    expect(after[1]).toBe(pages[1]);
    expect(upsertRunPages(pages, open('r4'), false)).toEqual(pages);
  });

  it('does not grow a single page without end', () => {
    let pages: RunPage[] = [{ runs: [], next: null }];
    for (let i = 1000; i < 1500; i++) pages = upsertRunPages(pages, open(`r${i}`), true);
    expect(pages).toHaveLength(1);
    expect(pages[0]?.runs).toHaveLength(200);
    expect(pages[0]?.next).toBe('r1300');
  });
});

// What the fake gateway begins with, and how it answers what was asked of that.
import type { CalendarEvent, Job, Notification, Run, StasisItem } from '../api/contract';
import { demoSeries } from './demoWeek';
import { job, missed, notification, run } from './factories';

const DAY = 86_400_000;

export interface Answer {
  status: number;
  body: unknown;
}

export const ok = (body: unknown): Answer => ({ status: 200, body });

export const fieldsOf = (body: unknown): object =>
  typeof body === 'object' && body !== null ? body : {};

export function demoJobs(slots: readonly CalendarEvent[], now: number): Job[] {
  return demoSeries.map(({ ref, title, every, zone }, index) => {
    const own = slots.filter((slot) => slot.source_ref === ref);
    const next = own.find((slot) => slot.scheduled_at_epoch * 1000 > now);
    const last = own.findLast((slot) => slot.scheduled_at_epoch * 1000 <= now);
    return job({
      job_id: ref,
      title,
      command: `./bin/${ref} --quiet`,
      description: own[0]?.description ?? '',
      every_seconds: every * 60,
      cron_expr: null,
      timezone: zone ?? 'UTC',
      next_run_at: next?.scheduled_at_epoch ?? null,
      last_run_at: last?.scheduled_at_epoch ?? null,
      running: last?.status === 'running',
      enabled: index !== 7,
      off_label: index === 7 ? 'paused' : null,
      consecutive_failures: index === 8 ? 3 : 0,
      runner: index % 5 === 2 ? 'agent' : 'shell',
    });
  });
}

export function runsOf(slots: readonly CalendarEvent[], now: number): Run[] {
  return slots
    .filter((slot) => slot.run_id != null && slot.scheduled_at_epoch * 1000 > now - DAY)
    .map((slot, index) => {
      const started_at = slot.scheduled_at_epoch + 0.02 + ((index * 7919) % 97) / 900;
      const isOver = slot.status !== 'running';
      const duration_seconds = isOver ? (slot.duration_seconds ?? 1) : null;
      return run({
        run_id: slot.run_id ?? '',
        job_id: slot.source_ref,
        status: slot.status === 'failed' ? 'error' : isOver ? 'success' : 'running',
        scheduled_at: slot.scheduled_at_epoch,
        started_at,
        finished_at: duration_seconds === null ? null : started_at + duration_seconds,
        duration_seconds,
        error: slot.status === 'failed' ? 'exit code 1' : null,
        output_preview: slot.status === 'failed' ? 'curl: (7) connection refused' : 'done',
        event_id: slot.event_id,
      });
    })
    .reverse();
}

export function stasisOf(slots: readonly CalendarEvent[], now: number): StasisItem[] {
  const late = slots
    .filter((slot) => slot.status === 'missed' && slot.scheduled_at_epoch * 1000 > now - 2 * DAY)
    .slice(-6);
  const hour = (index: number) => new Date(now + (index + 1) * 3_600_000).toISOString();
  return late.map((slot, index) =>
    missed(0, {
      event: slot,
      event_id: slot.event_id,
      cause: index < 3 ? 'process_down' : index < 5 ? 'host_suspended' : 'capacity',
      outage_id: index < 3 ? 'out1' : index < 5 ? 'out2' : 'out3',
      useful_until_utc: index % 2 === 0 ? hour(index) : null,
      changed_since: index === 4,
      group: {
        count: index === 1 ? 24 : 1,
        first_scheduled_at_utc: new Date(
          (slot.scheduled_at_epoch - (index === 1 ? 13_800 : 0)) * 1000,
        ).toISOString(),
        last_scheduled_at_utc: slot.scheduled_at_utc,
      },
    }),
  );
}

export function notesAt(now: number): Notification[] {
  const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString();
  return [
    notification({ created_at: ago(12) }),
    notification({
      id: 'note2',
      kind: 'cron_run_missed',
      title: '24 slots of Metrics scrape were missed',
      message: 'The gateway was down from 03:10 to 03:40.',
      severity: 'warning',
      created_at: ago(95),
    }),
    notification({
      id: 'note3',
      kind: 'continuity_recovered',
      title: 'Session continuity recovered',
      message: 'Resume success is back at 100 %.',
      severity: 'info',
      status: 'read',
      created_at: ago(600),
    }),
  ];
}

export function echoOf(now: number) {
  const next = [1, 2, 3].map((index) => {
    const at = Math.ceil(now / DAY) * DAY + (index - 1) * DAY + 9 * 3_600_000;
    const utc = new Date(at).toISOString();
    return { at: at / 1000, utc, local: utc };
  });
  return {
    description: 'every day at 09:00',
    timezone: 'UTC',
    timezone_source: 'timezone',
    runner: 'shell',
    notes: [],
    next,
  };
}

export function previewOf(body: unknown, now: number): Answer {
  const text = JSON.stringify(body);
  if (text.includes('nonsense')) {
    return { status: 400, body: { detail: 'The phrase was not understood.', field: 'schedule' } };
  }
  return ok(echoOf(now));
}

export function comingOf(jobs: readonly Job[], now: number) {
  return jobs
    .filter((each) => each.enabled && each.next_run_at !== null)
    .sort((a, b) => (a.next_run_at ?? 0) - (b.next_run_at ?? 0))
    .slice(0, 10)
    .map((each) => {
      const at = each.next_run_at ?? 0;
      return {
        job_id: each.job_id,
        title: each.title,
        description: each.description,
        at,
        utc: new Date(at * 1000).toISOString(),
        local: new Date(at * 1000).toISOString(),
        in_seconds: at - now / 1000,
      };
    });
}

// Events into what is shown: pure functions from a cached answer to the next one.
import type { CalendarEvent, CalendarFeed, EventData, Job, Run, RunRecord } from '../api/contract';
import { instant } from '../lib/time';

/** Where each event of a list stands, worked out once for a list. */
const positions = new WeakMap<readonly CalendarEvent[], Map<string, number>>();

function positionsOf(events: readonly CalendarEvent[]): Map<string, number> {
  let found = positions.get(events);
  if (!found) {
    found = new Map(events.map((event, index) => [event.event_id, index]));
    positions.set(events, found);
  }
  return found;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

/** Whether two rows of one event show the same. */
export function sameRow(a: CalendarEvent, b: CalendarEvent): boolean {
  return (
    a.status === b.status &&
    a.run_status === b.run_status &&
    a.run_id === b.run_id &&
    a.running === b.running &&
    a.duration_seconds === b.duration_seconds &&
    a.title === b.title &&
    a.description === b.description &&
    a.scheduled_at_epoch === b.scheduled_at_epoch &&
    a.category === b.category &&
    sameList(a.actions, b.actions)
  );
}

const bySlot = (a: CalendarEvent, b: CalendarEvent) =>
  a.scheduled_at_epoch - b.scheduled_at_epoch || (a.event_id < b.event_id ? -1 : 1);

/** The feed with these rows put in; rows outside its window are left out. */
export function upsertRows(feed: CalendarFeed, rows: readonly CalendarEvent[]): CalendarFeed {
  const start = instant(feed.start_utc) / 1000;
  const end = instant(feed.end_utc) / 1000;
  const at = positionsOf(feed.events);
  let events = feed.events;
  const added: CalendarEvent[] = [];
  for (const row of rows) {
    const index = at.get(row.event_id);
    const old = index === undefined ? undefined : events[index];
    if (index === undefined || old === undefined) {
      const isInside = row.scheduled_at_epoch >= start && row.scheduled_at_epoch < end;
      if (isInside && !row.always_running) added.push(row);
    } else if (!sameRow(old, row)) {
      if (events === feed.events) events = events.slice();
      events[index] = { ...old, ...row };
    }
  }
  if (added.length > 0) events = [...events, ...added].sort(bySlot);
  else if (events !== feed.events) positions.set(events, at);
  return events === feed.events ? feed : { ...feed, events };
}

/** A fetched feed that keeps the identity of every row which did not change. */
export function keepRows(old: CalendarFeed, fresh: CalendarFeed): CalendarFeed {
  const at = positionsOf(old.events);
  const events = fresh.events.map((row) => {
    const known = old.events[at.get(row.event_id) ?? -1];
    return known && sameRow(known, row) ? known : row;
  });
  const isSame =
    events.length === old.events.length && events.every((row, i) => row === old.events[i]);
  return { ...fresh, events: isSame ? old.events : events };
}

const isOver = (run: RunRecord) => run.status !== 'queued' && run.status !== 'running';

function durationOf(run: RunRecord): number | null {
  const { started_at, finished_at } = run;
  return started_at != null && finished_at != null ? finished_at - started_at : null;
}

const NEW_RUN = {
  started_at: null,
  finished_at: null,
  error: null,
  output_preview: '',
  trigger: 'schedule',
  attempt: 1,
  exit_code: null,
  duration_seconds: null,
  host: null,
  reason: null,
  event_id: null,
} satisfies Partial<Run>;

/** The runs, newest first, with this one put in; as many as before, or `most`. */
export function upsertRun(runs: readonly Run[], record: RunRecord, most: number): Run[] {
  const duration_seconds = record.duration_seconds ?? durationOf(record);
  const index = runs.findIndex((run) => run.run_id === record.run_id);
  const known = runs[index];
  if (known) return runs.with(index, { ...known, ...record, duration_seconds });
  return [{ ...NEW_RUN, ...record, duration_seconds }, ...runs].slice(0, Math.max(most, 1));
}

/** The jobs with what a run's change says of its job. */
export function applyRunToJobs(
  jobs: readonly Job[],
  record: RunRecord,
  data: EventData,
): readonly Job[] {
  const index = jobs.findIndex((job) => job.job_id === record.job_id);
  const job = jobs[index];
  if (!job) return jobs;
  const running = record.status === 'running' || (job.running && !isOver(record));
  const last_run_at = record.started_at ?? job.last_run_at;
  const next_run_at = data.next_run_at === undefined ? job.next_run_at : data.next_run_at;
  const consecutive_failures =
    record.status === 'success' ? 0 : (data.consecutive_failures ?? job.consecutive_failures);
  return jobs.with(index, { ...job, running, last_run_at, next_run_at, consecutive_failures });
}

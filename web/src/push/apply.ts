// Events into what is shown: pure functions from a cached answer to the next one.
import { replaceEqualDeep } from '@tanstack/react-query';
import type {
  CalendarEvent,
  CalendarFeed,
  EventData,
  Job,
  Run,
  RunPage,
  RunRecord,
} from '../api/contract';
import { RUNS_OF_A_PAGE } from '../api/runFilter';
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

function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

const sameValue = (a: unknown, b: unknown) =>
  a === b || (Array.isArray(a) && Array.isArray(b) && sameList(a, b));

/** Whether a row has everything that `change` says. */
function says(row: CalendarEvent, change: CalendarEvent): boolean {
  return Object.keys(change).every((key) =>
    sameValue(row[key as keyof CalendarEvent], change[key as keyof CalendarEvent]),
  );
}

/** Whether two rows are the same in every field. */
export function sameRow(a: CalendarEvent, b: CalendarEvent): boolean {
  return Object.keys(a).length === Object.keys(b).length && says(a, b);
}

const bySlot = (a: CalendarEvent, b: CalendarEvent) =>
  a.scheduled_at_epoch - b.scheduled_at_epoch || (a.event_id < b.event_id ? -1 : 1);

/** The feed with these rows put in; rows outside its window are left out, and all where it counts. */
export function upsertRows(feed: CalendarFeed, rows: readonly CalendarEvent[]): CalendarFeed {
  if (feed.detail === 'counts') return feed;
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
    } else if (!says(old, row)) {
      if (events === feed.events) events = events.slice();
      events[index] = { ...old, ...row };
    }
  }
  if (added.length > 0) events = [...events, ...added].sort(bySlot);
  else if (events !== feed.events) positions.set(events, at);
  return events === feed.events ? feed : { ...feed, events };
}

/**
 * A fetched feed that keeps the identity of everything which did not change. An equal
 * feed is the same object: React draws again, without end, for an object that is always new.
 */
export function keepRows(old: CalendarFeed, fresh: CalendarFeed): CalendarFeed {
  const { events: before, ...oldRest } = old;
  const { events: after, ...freshRest } = fresh;
  const at = positionsOf(before);
  const events = after.map((row) => {
    const known = before[at.get(row.event_id) ?? -1];
    return known && sameRow(known, row) ? known : row;
  });
  const isSame = events.length === before.length && events.every((row, i) => row === before[i]);
  const rest = replaceEqualDeep(oldRest, freshRest);
  return isSame && rest === oldRest ? old : { ...rest, events: isSame ? before : events };
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
  end_class: null,
  end_until: null,
  last_sign_of_life_at: null,
  last_sign_of_life: null,
} satisfies Partial<Run>;

/** A run that is over gives no signs of life. */
const signOf = (run: RunRecord) =>
  isOver(run) ? { last_sign_of_life_at: null, last_sign_of_life: null } : {};

/** The runs, newest first, with this one put in; as many as before, or `most`. */
export function upsertRun(runs: readonly Run[], record: RunRecord, most: number): Run[] {
  const duration_seconds = record.duration_seconds ?? durationOf(record);
  const index = runs.findIndex((run) => run.run_id === record.run_id);
  const known = runs[index];
  if (known) return runs.with(index, { ...known, ...record, duration_seconds, ...signOf(record) });
  return [{ ...NEW_RUN, ...record, duration_seconds }, ...runs].slice(0, Math.max(most, 1));
}

/**
 * Pages of runs, newest first, with this one put in, or taken out where it no longer fits.
 * A single page stays as long as the gateway makes it.
 */
export function upsertRunPages(
  pages: readonly RunPage[],
  record: RunRecord,
  doesFit: boolean,
): RunPage[] {
  const has = ({ runs }: RunPage) => runs.some((run) => run.run_id === record.run_id);
  const [first, ...others] = pages;
  if (first === undefined || (!doesFit && !pages.some(has))) return [...pages];
  if (pages.some(has)) {
    return pages.map((page) => {
      if (!has(page)) return page;
      if (doesFit) return { ...page, runs: upsertRun(page.runs, record, page.runs.length) };
      return { ...page, runs: page.runs.filter((run) => run.run_id !== record.run_id) };
    });
  }
  const runs = upsertRun(first.runs, record, Infinity);
  if (others.length > 0 || runs.length <= RUNS_OF_A_PAGE) return [{ ...first, runs }, ...others];
  const kept = runs.slice(0, RUNS_OF_A_PAGE);
  return [{ runs: kept, next: kept.at(-1)?.run_id ?? null }];
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

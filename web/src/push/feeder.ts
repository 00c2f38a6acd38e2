// Brings pushed events into the query cache: rows and runs are applied, the rest is refetched.
import { type InfiniteData, type QueryClient, type QueryKey } from '@tanstack/react-query';
import type { BusEvent, CalendarFeed, Job, Run, RunPage } from '../api/contract';
import { keys } from '../api/keys';
import { fits, type RunQuery } from '../api/runFilter';
import { applyRunToJobs, upsertRows, upsertRun, upsertRunPages } from './apply';
import type { PushListener } from './client';
import { rowJournal } from './journal';

const GATHER_MS = 40;
const CALM_MS = 250;
const PATIENCE_MS = 2_000;
const MOST_EVENTS = 500;
const MOST_RUNS = 200;

/** Calls `act` once things have been calm for a while, or patience is at its end. */
class Debounce {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private since: number | null = null;

  constructor(private readonly act: () => void) {}

  call(): void {
    const now = Date.now();
    this.since ??= now;
    clearTimeout(this.timer);
    const wait = Math.max(0, Math.min(CALM_MS, this.since + PATIENCE_MS - now));
    this.timer = setTimeout(() => {
      this.since = null;
      this.act();
    }, wait);
  }
}

/** What an event makes old, beyond what its rows and its run say themselves. */
export function outdatedBy(event: BusEvent): QueryKey[] {
  const { type, source } = event;
  const calendar = event.data.rows ? [] : [keys.calendar.all];
  switch (type) {
    case 'cron_job_created':
    case 'cron_job_updated':
    case 'cron_job_deleted':
      return [keys.calendar.all, keys.jobs.all, keys.next, keys.stasis.all, keys.audit];
    case 'calendar_change_applied':
      return [keys.calendar.all, keys.jobs.all, keys.next, keys.audit];
    case 'calendar_missed_resolved':
      return [keys.stasis.all, keys.ledger, keys.audit, ...calendar];
    case 'calendar_replanned':
      return [keys.calendar.all, keys.jobs.all, keys.next, keys.stasis.all, keys.ledger];
    case 'clock_set_back':
    case 'zone_rules_changed':
      return [keys.notifications];
    case 'cron_run_missed':
      return [keys.stasis.all, keys.ledger, keys.notifications, ...calendar];
    case 'cron_run_failed':
      return [keys.notifications, keys.ledger, ...calendar];
    case 'cron_retry_dropped':
      return [keys.ledger, ...calendar];
    case 'notification_changed':
      return [keys.notifications];
    case 'channel_changed':
      return [keys.notifications, keys.channels];
    case 'feed_token_created':
    case 'feed_token_revoked':
      return [keys.feedTokens];
    case 'pool_changed':
      return [keys.pools];
    case 'resource_cooldown_opened':
    case 'resource_cooldown_prolonged':
    case 'resource_cooldown_closed':
      return [keys.resources, keys.notifications];
    case 'flag_changed':
      return [keys.config, keys.flags, keys.audit];
    case 'heartbeat_failed':
      return [keys.heartbeats, keys.notifications];
  }
  if (type.startsWith('cron_run_')) return [keys.next, keys.ledger, ...calendar];
  if (source === 'heartbeat') return [keys.heartbeats];
  if (source === 'session') return [keys.sessions, keys.continuity, keys.heartbeats];
  return [];
}

export class Feeder implements PushListener {
  private gathered: BusEvent[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private outdated = new Map<string, QueryKey>();
  private readonly refresh = new Debounce(() => {
    const stale = [...this.outdated.values()];
    this.outdated = new Map();
    for (const queryKey of stale) this.invalidate(queryKey);
  });

  constructor(private readonly queries: QueryClient) {}

  apply(event: BusEvent): void {
    this.gathered.push(event);
    this.timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  refetch(): void {
    this.invalidate(keys.pushed);
  }

  /** Applies what was gathered, in one change of each cached answer. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const events = this.gathered;
    this.gathered = [];
    const rows = events.flatMap((event) => event.data.rows ?? []);
    rowJournal.add(rows);
    this.queries.setQueriesData<CalendarFeed>({ queryKey: keys.calendar.all }, (feed) =>
      feed ? upsertRows(feed, rows) : feed,
    );
    this.queries.setQueryData<BusEvent[]>(keys.events, (old) =>
      old ? [...old, ...events].slice(-MOST_EVENTS) : old,
    );
    for (const event of events) this.applyRun(event);
    for (const queryKey of events.flatMap(outdatedBy)) {
      this.outdated.set(JSON.stringify(queryKey), queryKey);
    }
    if (this.outdated.size > 0) this.refresh.call();
  }

  private applyRun(event: BusEvent): void {
    const { run } = event.data;
    if (!run) return;
    for (const queryKey of [keys.runs.lists(), keys.runs.lists(run.job_id)]) {
      this.queries.setQueriesData<Run[]>({ queryKey }, (runs) =>
        runs ? upsertRun(runs, run, Math.max(runs.length, MOST_RUNS)) : runs,
      );
    }
    for (const { queryKey } of this.queries.getQueryCache().findAll({
      queryKey: keys.runs.allPages,
    })) {
      const doesFit = fits(queryKey.at(-1) as RunQuery, run);
      this.queries.setQueryData<InfiniteData<RunPage>>(queryKey, (old) =>
        old ? { ...old, pages: upsertRunPages(old.pages, run, doesFit) } : old,
      );
    }
    this.queries.setQueryData<readonly Job[]>(keys.jobs.list, (jobs) =>
      jobs ? applyRunToJobs(jobs, run, event.data) : jobs,
    );
    this.invalidate(keys.runs.one(run.run_id));
    if (this.queries.getQueryData(keys.jobs.one(run.job_id))) {
      this.outdated.set(run.job_id, keys.jobs.one(run.job_id));
    }
  }

  /** A hidden page only notes that it is old. */
  private invalidate(queryKey: QueryKey): void {
    void this.queries.invalidateQueries({
      queryKey,
      refetchType: document.hidden ? 'none' : 'active',
    });
  }
}

// What the pages read. Answers under `pushed` are kept current by the stream; while that is down or
// off they are asked for at the intervals the gateway names.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { keepRows, upsertRows } from '../push/apply';
import { mustPoll, usePushPhase } from '../push/context';
import { rowJournal } from '../push/journal';
import { api, take } from './client';
import type { CalendarFeed, PageConfig, PollKind, Session } from './contract';
import { ApiError } from './errors';
import { keys } from './keys';
import type { CalendarQuery } from './paths';

const CONFIG_MS = 30_000;

/** What is assumed of a gateway that has no /config. */
export const DEFAULT_CONFIG: PageConfig = {
  sched_push_enabled: true,
  version: '',
  auth_required: false,
  signed_in: true,
  user_timezone: 'UTC',
  host: '',
  proof: null,
  poll_seconds: { calendar: 30, heartbeat: 20, continuity: 45 },
};

async function readConfig(): Promise<PageConfig> {
  try {
    return { ...DEFAULT_CONFIG, ...(await take(api.GET('/config'))) };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return DEFAULT_CONFIG;
    throw error;
  }
}

/** Also asked for by hidden tabs: one of them may hold the stream that is to be switched off. */
export const useConfig = () =>
  useQuery({
    queryKey: keys.config,
    queryFn: readConfig,
    refetchInterval: CONFIG_MS,
    refetchIntervalInBackground: true,
    refetchOnWindowFocus: 'always',
    staleTime: CONFIG_MS,
  });

/** How often to ask while push is down or off; false while it is not needed. */
export function useInterval(kind: PollKind): number | false {
  const phase = usePushPhase();
  const { data } = useConfig();
  return mustPoll(phase) && (data ?? DEFAULT_CONFIG).poll_seconds[kind] * 1_000;
}

/** Pushed rows do not change counts: those are asked for at an interval while push is live, too. */
function useCalendarInterval() {
  const interval = useInterval('calendar');
  const { data } = useConfig();
  const { calendar } = (data ?? DEFAULT_CONFIG).poll_seconds;
  return (query: { state: { data: CalendarFeed | undefined } }) =>
    query.state.data?.detail === 'counts' ? calendar * 1_000 : interval;
}

function shareFeed(old: unknown, fresh: unknown): unknown {
  return isFeed(old) && isFeed(fresh) ? keepRows(old, fresh) : fresh;
}

function isFeed(value: unknown): value is CalendarFeed {
  return (
    typeof value === 'object' && value !== null && 'events' in value && 'stasis_queue' in value
  );
}

/** A feed; of one that is too large what fits: counts by the hour, or a job's first slots. */
async function readCalendar(query: CalendarQuery, signal: AbortSignal): Promise<CalendarFeed> {
  const ask = (asked: CalendarQuery) =>
    take(api.GET('/api/v1/ops/calendar/events', { params: { query: asked }, signal }));
  try {
    return await ask(query);
  } catch (error) {
    if (!(error instanceof ApiError && error.isTooLarge)) throw error;
    if (typeof query.source_ref !== 'string') return ask({ ...query, detail: 'counts' });
    if (error.suggested_end === null) throw error;
    return ask({ ...query, end: error.suggested_end });
  }
}

export const useCalendar = (query: CalendarQuery, options: { enabled?: boolean } = {}) =>
  useQuery({
    queryKey: keys.calendar.feed(query),
    queryFn: async ({ signal }) => {
      const since = rowJournal.position;
      const feed = await readCalendar(query, signal);
      return upsertRows(feed, rowJournal.since(since));
    },
    structuralSharing: shareFeed,
    placeholderData: keepPreviousData,
    refetchInterval: useCalendarInterval(),
    enabled: options.enabled ?? true,
  });

export const useStasis = () =>
  useQuery({
    queryKey: keys.stasis.all,
    queryFn: async ({ signal }) => {
      const answer = await take(api.GET('/api/v1/ops/stasis', { signal }));
      return answer.stasis_queue;
    },
    refetchInterval: useInterval('calendar'),
  });

/** All jobs, gathered page by page. */
export const useJobs = () =>
  useQuery({
    queryKey: keys.jobs.list,
    queryFn: async ({ signal }) => {
      const first = await take(
        api.GET('/api/v1/cron/jobs', { params: { query: { limit: 1000 } }, signal }),
      );
      const jobs = first.jobs;
      let cursor = first.next_cursor;
      while (cursor !== null) {
        const query = { limit: 1000, cursor };
        const page = await take(api.GET('/api/v1/cron/jobs', { params: { query }, signal }));
        jobs.push(...page.jobs);
        cursor = page.next_cursor;
      }
      return jobs;
    },
    refetchInterval: useInterval('calendar'),
  });

export const useJob = (jobId: string) =>
  useQuery({
    queryKey: keys.jobs.one(jobId),
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/cron/jobs/{job_id}', { params: { path: { job_id: jobId } }, signal })),
    refetchInterval: useInterval('calendar'),
  });

export const useRuns = (jobId?: string, limit = 200) =>
  useQuery({
    queryKey: keys.runs.list(jobId, limit),
    queryFn: async ({ signal }) => {
      const answer =
        jobId === undefined
          ? await take(api.GET('/api/v1/cron/runs', { params: { query: { limit } }, signal }))
          : await take(
              api.GET('/api/v1/cron/jobs/{job_id}/runs', {
                params: { query: { limit }, path: { job_id: jobId } },
                signal,
              }),
            );
      return answer.runs;
    },
    refetchInterval: useInterval('calendar'),
  });

/** How often a run in execution is asked for its latest sign of life, which no event carries. */
const SIGN_MS = 5000;

export const useRun = (runId: string | null) => {
  const interval = useInterval('calendar');
  return useQuery({
    queryKey: keys.runs.one(runId ?? ''),
    queryFn: async ({ signal }) => {
      const params = { path: { run_id: runId ?? '' } };
      return (await take(api.GET('/api/v1/cron/runs/{run_id}', { params, signal }))).run;
    },
    enabled: runId !== null,
    refetchInterval: ({ state }) => (state.data?.status === 'running' ? SIGN_MS : interval),
  });
};

export const useComing = (limit = 10) =>
  useQuery({
    queryKey: [...keys.next, limit],
    queryFn: async ({ signal }) =>
      (await take(api.GET('/api/v1/cron/next', { params: { query: { limit } }, signal }))).next,
    refetchInterval: useInterval('calendar'),
  });

export const useHeartbeats = () =>
  useQuery({
    queryKey: keys.heartbeats,
    queryFn: async ({ signal }) =>
      (await take(api.GET('/api/v1/heartbeat/last', { signal }))).heartbeats,
    refetchInterval: useInterval('heartbeat'),
  });

/** All sessions, gathered page by page. */
export const useSessions = () =>
  useQuery({
    queryKey: keys.sessions,
    queryFn: async ({ signal }) => {
      const sessions: Session[] = [];
      let cursor: string | null = null;
      do {
        const query: { limit: number; cursor?: string } = {
          limit: 1000,
          ...(cursor !== null && { cursor }),
        };
        const page = await take(api.GET('/api/v1/ops/sessions', { params: { query }, signal }));
        sessions.push(...page.sessions);
        cursor = page.next_cursor;
      } while (cursor != null);
      return sessions;
    },
    refetchInterval: useInterval('heartbeat'),
  });

/** A session with its latest turns and beats. */
export const useSession = (session_id: string, options: { enabled: boolean }) =>
  useQuery({
    queryKey: keys.session(session_id),
    queryFn: ({ signal }) => {
      const params = { path: { session_id } };
      return take(api.GET('/api/v1/ops/sessions/{session_id}', { params, signal }));
    },
    refetchInterval: useInterval('heartbeat'),
    ...options,
  });

/** The files that steer a session's beats. */
export const useHeartbeatFiles = (session_id: string) =>
  useQuery({
    queryKey: keys.files(session_id),
    queryFn: ({ signal }) => {
      const params = { query: { session_id } };
      return take(api.GET('/api/v1/heartbeat/files', { params, signal }));
    },
    staleTime: 0,
  });

/** Its figures change with traffic that no event tells of, so it has a pace of its own. */
export function useContinuity() {
  const interval = useInterval('continuity');
  return useQuery({
    queryKey: keys.continuity,
    queryFn: async ({ signal }) =>
      (await take(api.GET('/api/v1/ops/metrics/session-continuity', { signal }))).metrics,
    refetchInterval: interval,
    staleTime: 15_000,
  });
}

export const useChannels = () =>
  useQuery({
    queryKey: keys.channels,
    queryFn: async ({ signal }) =>
      (await take(api.GET('/api/v1/notify/channels', { signal }))).channels,
    refetchInterval: useInterval('continuity'),
  });

/** The services that are away, and that jobs wait for. */
export const useResourcesDown = () =>
  useQuery({
    queryKey: keys.resources,
    queryFn: async ({ signal }) =>
      (await take(api.GET('/api/v1/ops/resources', { signal }))).resources,
    refetchInterval: useInterval('continuity'),
  });

/** The pools, with the runs in them. */
export const usePools = () =>
  useQuery({
    queryKey: keys.pools,
    queryFn: async ({ signal }) => (await take(api.GET('/api/v1/ops/pools', { signal }))).pools,
    refetchInterval: useInterval('continuity'),
  });

/** The tokens of calendar programs, without their secrets. */
export const useFeedTokens = () =>
  useQuery({
    queryKey: keys.feedTokens,
    queryFn: async ({ signal }) =>
      (await take(api.GET('/api/v1/auth/feed-tokens', { signal }))).feed_tokens,
    refetchInterval: useInterval('continuity'),
  });

export const useNotifications = () =>
  useQuery({
    queryKey: keys.notifications,
    queryFn: async ({ signal }) => {
      const params = { query: { limit: 200 } };
      return (await take(api.GET('/api/v1/dashboard/notifications', { params, signal })))
        .notifications;
    },
    refetchInterval: useInterval('continuity'),
  });

export const useLedger = () =>
  useQuery({
    queryKey: keys.ledger,
    queryFn: ({ signal }) => take(api.GET('/api/v1/ops/scheduling/ledger', { signal })),
    refetchInterval: useInterval('calendar'),
  });

export const useMetrics = (pace: number) =>
  useQuery({
    queryKey: keys.metrics,
    queryFn: async ({ signal }) =>
      (await take(api.GET('/api/v1/ops/metrics/scheduling-runtime', { signal }))).metrics,
    refetchInterval: pace,
    staleTime: 0,
  });

const RECENT_EVENTS = 200;

/** The latest events, oldest first; the stream appends to them. */
export const useEvents = () =>
  useQuery({
    queryKey: keys.events,
    queryFn: async ({ signal }) => {
      const ask = (query: { since_seq: number; limit: number }) =>
        take(api.GET('/api/v1/ops/scheduling/events', { params: { query }, signal }));
      const { event_bus_seq } = await ask({ since_seq: 0, limit: 1 });
      const since_seq = Math.max(0, event_bus_seq - RECENT_EVENTS);
      return (await ask({ since_seq, limit: RECENT_EVENTS })).events;
    },
    refetchInterval: useInterval('calendar'),
  });

export const useExplain = (eventId: string) =>
  useQuery({
    queryKey: keys.explain(eventId),
    queryFn: ({ signal }) => {
      const params = { query: { event_id: eventId } };
      return take(api.GET('/api/v1/ops/scheduling/explain', { params, signal }));
    },
    staleTime: 0,
  });

export const useFlags = () =>
  useQuery({
    queryKey: keys.flags,
    queryFn: async ({ signal }) => (await take(api.GET('/api/v1/ops/flags', { signal }))).flags,
  });

export const useAudit = () =>
  useQuery({
    queryKey: keys.audit,
    queryFn: async ({ signal }) => {
      const params = { query: { limit: 200 } };
      return (await take(api.GET('/api/v1/ops/audit', { params, signal }))).entries;
    },
    staleTime: 5_000,
  });

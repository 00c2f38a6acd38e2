// The routes of docs/contract.md that the generated schema does not hold yet, in its own form.
import type {
  ActionAnswer,
  ActionBody,
  BulkAnswer,
  BulkBody,
  BusEvent,
  CalendarFeed,
  ContinuityMetrics,
  Explanation,
  Flag,
  Heartbeat,
  Job,
  Ledger,
  LogTail,
  Notification,
  NotificationStatus,
  PageConfig,
  Proposal,
  Replay,
  Run,
  SchedulingMetrics,
  Session,
  StasisItem,
} from './contract';
import type { components, paths as GeneratedPaths } from './schema.gen';

type Schemas = components['schemas'];

interface Told<R> {
  responses: { 200: { headers: Record<string, string>; content: { 'application/json': R } } };
}

type PathPart<P> = [P] extends [never] ? { path?: never } : { path: P };

interface Asked<Q, P> {
  parameters: {
    query?: Q;
    header?: { 'Idempotency-Key'?: string };
    cookie?: never;
  } & PathPart<P>;
}

interface Sent<B> {
  requestBody: { content: { 'application/json': B } };
}

type None = never;
type Empty = Record<string, never>;
interface Get<R, Q = None, P = None> {
  get: Asked<Q, P> & Told<R>;
}
interface Post<R, B, P = None> {
  post: Asked<None, P> & Sent<B> & Told<R>;
}
interface Delete<R, P, Q = None> {
  delete: Asked<Q, P> & Told<R>;
}

export interface CalendarQuery {
  source?: 'all' | 'cron' | 'heartbeat';
  view?: 'day' | 'week' | 'month';
  start?: string;
  end?: string;
  timezone_name?: string;
  source_ref?: string;
}

interface EventPath {
  event_id: string;
}

interface SessionPath {
  session_id: string;
}

export interface ContractPaths {
  '/config': Get<PageConfig>;
  '/api/v1/auth/login': Post<{ status: 'ok' }, { token: string }>;
  '/api/v1/auth/logout': Post<{ status: 'ok' }, Empty>;

  '/api/v1/ops/calendar/events': Get<CalendarFeed, CalendarQuery>;
  '/api/v1/ops/calendar/events/{event_id}/action': Post<ActionAnswer, ActionBody, EventPath>;
  '/api/v1/ops/calendar/events/{event_id}/change-request': Post<
    { proposal: Proposal },
    { instruction: string; timezone?: string },
    EventPath
  >;
  '/api/v1/ops/calendar/events/{event_id}/change-request/confirm': Post<
    { status: 'applied' | 'rejected'; proposal: Proposal },
    { proposal_id: string; approve: boolean },
    EventPath
  >;

  '/api/v1/ops/stasis': Get<{ stasis_queue: StasisItem[]; total: number }>;
  '/api/v1/ops/stasis/bulk': Post<BulkAnswer, BulkBody>;
  '/api/v1/ops/stasis/{event_id}/undo': Post<{ status?: string }, Empty, EventPath>;

  '/api/v1/ops/scheduling/explain': Get<Explanation, { event_id: string }>;
  '/api/v1/ops/metrics/scheduling-runtime': Get<{ metrics: SchedulingMetrics }>;
  '/api/v1/ops/metrics/session-continuity': Get<{ metrics: ContinuityMetrics }>;
  '/api/v1/ops/flags': Get<{ flags: Record<string, Flag> }> & {
    patch: Asked<None, None> &
      Sent<Record<string, string | null>> &
      Told<{ flags: Record<string, Flag> }>;
  };
  '/api/v1/ops/audit': Get<{ entries: BusEvent[] }, { limit?: number }>;

  '/api/v1/heartbeat/last': Get<{ heartbeats: Record<string, Heartbeat> }>;
  '/api/v1/heartbeat/wake': Post<
    { status: string },
    { session_id?: string; reason?: string; mode: 'now' | 'next' }
  >;
  '/api/v1/sessions': Get<{ sessions: Session[] }> & Post<Session, { user_id?: string }>;
  '/api/v1/ops/sessions': Get<{ sessions: Session[]; total?: number }, { limit?: number }>;
  '/api/v1/ops/sessions/{session_id}': Delete<
    { status: string },
    SessionPath,
    { confirm?: boolean }
  >;
  '/api/v1/ops/sessions/{session_id}/cancel': Post<{ status: string }, Empty, SessionPath>;

  '/api/v1/dashboard/notifications': Get<
    { notifications: Notification[] },
    { limit?: number; status?: NotificationStatus; session_id?: string }
  >;
  '/api/v1/dashboard/notifications/{notification_id}': {
    patch: Asked<None, { notification_id: string }> &
      Sent<{ status: NotificationStatus; note?: string; snooze_minutes?: number }> &
      Told<{ notification: Notification }>;
  };
  '/api/v1/dashboard/notifications/bulk': Post<
    { results: { id: string; status: string }[] },
    { status: NotificationStatus; ids: string[] }
  >;

  // The generated answers of these name only the fields that are promised to everybody.
  '/api/v1/cron/jobs': Get<
    { jobs: Job[]; total: number; next_cursor: string | null },
    { limit?: number; cursor?: string }
  > &
    Post<{ job: Job; echo: Schemas['Echo'] }, Schemas['JobCreate']>;
  '/api/v1/cron/jobs/{job_id}': Get<
    { job: Job; echo: Schemas['Echo'] },
    None,
    { job_id: string }
  > & {
    put: Asked<None, { job_id: string }> &
      Sent<Schemas['JobEdit']> &
      Told<{ job: Job; echo: Schemas['Echo'] }>;
  } & Delete<{ status: string }, { job_id: string }>;
  '/api/v1/cron/jobs/{job_id}/run': Post<
    { run: Run },
    { wait_seconds?: number },
    { job_id: string }
  >;
  '/api/v1/cron/jobs/{job_id}/runs': Get<
    { runs: Run[] },
    { limit?: number; before?: string; status?: string },
    { job_id: string }
  >;
  '/api/v1/cron/runs': Get<{ runs: Run[] }, { limit?: number; before?: string; status?: string }>;
  '/api/v1/cron/runs/{run_id}': Get<{ run: Run }, None, { run_id: string }>;
  '/api/v1/ops/scheduling/events': Get<Replay, { since_seq?: number; limit?: number }>;
  '/api/v1/ops/scheduling/ledger': Get<Ledger, { start?: string; end?: string; job_id?: string }>;
  '/api/v1/ops/logs/tail': Get<
    LogTail,
    {
      run_id?: string;
      session_id?: string;
      path?: string;
      cursor?: number;
      limit?: number;
      max_bytes?: number;
    }
  >;
}

export type Paths = Omit<GeneratedPaths, keyof ContractPaths> & ContractPaths;

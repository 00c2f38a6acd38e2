// The routes as the generated schema has them. Parameters and bodies are its own; where it promises
// only some fields of an answer, or none, the contract's type takes the answer's place.
import type {
  Channel,
  ChannelResult,
  ActionAnswer,
  BulkAnswer,
  Breaker,
  BusEvent,
  CalendarFeed,
  ContinuityMetrics,
  Echo,
  Explanation,
  Flag,
  Heartbeat,
  HeartbeatFiles,
  Job,
  Ledger,
  Notification,
  PageConfig,
  Proposal,
  Replay,
  Run,
  SchedulingMetrics,
  Session,
  StasisItem,
} from './contract';
import type { paths as GeneratedPaths } from './schema.gen';

interface Answers {
  '/config': { get: PageConfig };

  '/api/v1/cron/jobs': {
    get: { jobs: Job[]; total: number; next_cursor: string | null };
    post: { job: Job; echo: Echo };
  };
  '/api/v1/cron/jobs/{job_id}': {
    get: { job: Job; echo: Echo; breaker: Breaker | null };
    put: { job: Job; echo: Echo };
  };
  '/api/v1/cron/jobs/{job_id}/run': { post: { run: Run } };
  '/api/v1/cron/jobs/{job_id}/runs': { get: { runs: Run[]; has_more: boolean } };
  '/api/v1/cron/runs': { get: { runs: Run[]; has_more: boolean } };
  '/api/v1/cron/runs/{run_id}': { get: { run: Run } };

  '/api/v1/ops/calendar/events': { get: CalendarFeed };
  '/api/v1/ops/calendar/events/{event_id}/action': { post: ActionAnswer };
  '/api/v1/ops/calendar/events/{event_id}/change-request': { post: { proposal: Proposal } };
  '/api/v1/ops/stasis': { get: { stasis_queue: StasisItem[]; total: number } };
  '/api/v1/ops/stasis/bulk': { post: BulkAnswer };

  '/api/v1/ops/scheduling/events': { get: Replay };
  '/api/v1/ops/scheduling/explain': { get: Explanation };
  '/api/v1/ops/scheduling/ledger': { get: Ledger };
  '/api/v1/ops/metrics/scheduling-runtime': { get: { metrics: SchedulingMetrics } };
  '/api/v1/ops/metrics/session-continuity': { get: { metrics: ContinuityMetrics } };
  '/api/v1/ops/flags': { get: { flags: Record<string, Flag> } };
  '/api/v1/ops/audit': { get: { entries: BusEvent[] } };
  '/api/v1/dashboard/notifications': { get: { notifications: Notification[] } };
  '/api/v1/notify/channels': { get: { channels: Channel[] } };
  '/api/v1/notify/channels/test': { post: { results: ChannelResult[] } };

  '/api/v1/heartbeat/files': { get: HeartbeatFiles; put: HeartbeatFiles };
  '/api/v1/heartbeat/last': { get: { heartbeats: Record<string, Heartbeat> } };
  '/api/v1/sessions': { post: Session };
  '/api/v1/ops/sessions': { get: { sessions: Session[]; next_cursor: string | null } };
  '/api/v1/ops/sessions/{session_id}': { get: Session & { runs: Run[] } };
}

interface Told<Answer> {
  responses: { 200: { headers: Record<string, string>; content: { 'application/json': Answer } } };
}

type Retold<Operation, Answer> = Omit<Operation, 'responses'> & Told<Answer>;

type WithAnswers<Route, Methods> = {
  [Method in keyof Route]: Method extends keyof Methods
    ? Retold<Route[Method], Methods[Method]>
    : Route[Method];
};

export type Paths = {
  [Path in keyof GeneratedPaths]: Path extends keyof Answers
    ? WithAnswers<GeneratedPaths[Path], Answers[Path]>
    : GeneratedPaths[Path];
};

export type CalendarQuery = NonNullable<
  GeneratedPaths['/api/v1/ops/calendar/events']['get']['parameters']['query']
>;

// The wire types of docs/contract.md that the generated schema does not spell out: answers that the
// gateway writes without a model, for speed, and those of the stream. Names are the wire's.
import type { components } from './schema.gen';

type Schemas = components['schemas'];

export type Priority = 'critical' | 'normal' | 'low';

export interface JobMetadata {
  priority?: Priority;
  channel?: string;
  session_id?: string;
  tags?: unknown;
  [key: string]: unknown;
}

export interface JobPolicy {
  overlap: 'skip' | 'queue_one' | 'allow' | 'cancel_previous';
  on_miss: 'ask' | 'run_latest' | 'run_all' | 'skip';
  /** The fields above and below that follow from how often the job runs. */
  follows_cadence: string[];
  side_effects: boolean;
  misfire_grace_seconds: number;
  useful_for_seconds: number | null;
  timeout_seconds: number;
  /** Null: a silent run is stopped by its limit alone. */
  idle_timeout_seconds: number | null;
  retries: number;
  retry_backoff: number[];
  jitter_seconds: number;
  queue_limit_seconds: number;
  auto_pause_after: number;
  /** How often a slot whose run was cut off is run again; true is twice. */
  retry_interrupted: boolean | number;
  /** The pool that bounds its runs. */
  pool: string | null;
  light: boolean;
  /** Rules by name, or the name of a preset. */
  fail_on: unknown;
}

export type Job = Schemas['JobDocument'] &
  JobPolicy & {
    user_id: string;
    workspace_dir: string;
    delete_after_run: boolean;
    model: string | null;
    metadata: JobMetadata;
    off_label: 'paused' | 'disabled' | 'auto_paused' | null;
    consecutive_failures: number;
    /** While it is paused after failures: from when on a slot runs as a probe. */
    probe_at: number | null;
  };

export type Echo = Schemas['Echo'];
export type Breaker = Schemas['Breaker'];
export type JobDraft = Schemas['JobDraft'];

export type RunStatus = Schemas['RunStatus'];

export type Run = Schemas['RunDocument'] & {
  trigger: string;
  attempt: number;
  exit_code: number | null;
  duration_seconds: number | null;
  host: string | null;
  reason: string | null;
  event_id: string | null;
  /** Why it failed; null for a run that did not. */
  end_class: 'rate_limited' | 'quota' | 'unreachable' | 'refused' | 'failed' | null;
  end_until: number | null;
};

// -- calendar

export type Source = 'cron' | 'heartbeat';

export type EventStatus =
  'scheduled' | 'running' | 'success' | 'failed' | 'missed' | 'paused' | 'disabled';

export interface CalendarEvent {
  event_id: string;
  source: Source;
  source_ref: string;
  owner_id: string;
  session_id: string | null;
  channel: string | null;
  title: string;
  description: string;
  category: Priority;
  color_key: string;
  status: EventStatus;
  scheduled_at_epoch: number;
  scheduled_at_utc: string;
  scheduled_at_local: string;
  timezone_display: string;
  always_running: boolean;
  actions: string[];
  run_id?: string | null;
  run_status?: RunStatus | null;
  reason?: string | null;
  /** Where a person has moved the slot to. */
  moved_to_utc?: string;
  running: boolean;
  duration_seconds?: number | null;
}

export interface HourCount {
  start_utc: string;
  counts: Partial<Record<EventStatus, number>>;
}

/** A row instead of single slots: a heartbeat session, or a job with very many slots. */
export interface AlwaysRunning {
  source: Source;
  source_ref: string;
  session_id?: string | null;
  title: string;
  description?: string;
  status?: EventStatus;
  hourly?: HourCount[];
}

export interface CalendarDay {
  date: string;
  start_utc: string;
  end_utc: string;
  transitions: { at_utc: string }[];
}

export type MissCause =
  | 'process_down'
  | 'planned_restart'
  | 'host_suspended'
  | 'clock_step'
  | 'store_unavailable'
  | 'capacity'
  | 'engine_off'
  | 'interrupted'
  | 'cooldown';

export type StasisStatus =
  'pending' | 'open' | 'approved_and_run' | 'rescheduled' | 'deleted' | 'superseded' | 'expired';

export interface StasisItem {
  event_id: string;
  status: StasisStatus;
  created_at: string;
  updated_at: string;
  event: CalendarEvent;
  group: { count: number; first_scheduled_at_utc: string; last_scheduled_at_utc: string };
  cause?: MissCause | null;
  /** What held the pool while it waited, in words. */
  held_by?: string | null;
  outage_id?: string | null;
  useful_until_utc?: string | null;
  changed_since?: boolean;
  note?: string | null;
  /** What to do and why; only in the queue, not in a calendar's feed. */
  recommended?: Recommended;
}

export interface Recommended {
  decision: 'approve' | 'reschedule' | 'delete';
  reason: string;
}

export interface CalendarFeed {
  timezone: string;
  view: string;
  /** `counts`: no slot is listed, `always_running` counts all of them by the hour. */
  detail?: 'all' | 'summary' | 'counts';
  start_utc: string;
  end_utc: string;
  start_local: string;
  end_local: string;
  days?: CalendarDay[];
  events: CalendarEvent[];
  always_running: AlwaysRunning[];
  stasis_queue: StasisItem[];
  legend: Record<string, string>;
  version: number;
  last_event_at_utc: string | null;
}

export type ActionBody = Schemas['Action'];
export type BulkBody = Schemas['Bulk'];
export type ExceptionBody = Schemas['ExceptionBody'];

export type ActionAnswer = Schemas['ActionDone'] & { run?: Run; job?: Job };

export type BulkAnswer = Schemas['BulkDone'] & {
  results: {
    event_id: string;
    status: 'ok' | 'refused' | 'preview';
    detail?: string;
    recommended?: Recommended;
  }[];
};

/** The job as it is, or as it would be, with its next slots. */
export interface ProposalSide {
  timezone?: string;
  next?: { utc: string; local: string }[];
  [field: string]: unknown;
}

export interface Proposal {
  proposal_id: string;
  event_id: string;
  source: Source;
  source_ref: string;
  instruction: string;
  summary: string;
  before: ProposalSide;
  after: ProposalSide;
  operation: string;
  warnings: string[];
  confidence: 'high' | 'medium' | 'low';
  status: string;
  created_at: string;
  expires_at: string;
}

export interface Explanation {
  event_id: string;
  outcome: string;
  sentences: string[];
  events: BusEvent[];
}

// -- events and push

export interface BusEvent {
  seq: number;
  source: string;
  type: string;
  timestamp: string;
  source_ref: string;
  owner_id: string | null;
  session_id: string | null;
  status: string | null;
  data: EventData;
}

export interface EventData {
  run?: RunRecord;
  rows?: CalendarEvent[];
  /** Where the job's schedule stands now, when the event moved it. */
  next_run_at?: number | null;
  consecutive_failures?: number;
  [key: string]: unknown;
}

/** A service in a cooldown: jobs wait for it. */
export type Resource = Schemas['ResourceDown'];
export type Pool = Schemas['PoolShown'];

/** A page of runs, newest first; `next` is the place where the next page begins, or null. */
export interface RunPage {
  runs: Run[];
  next: string | null;
}

export type RunRecord = Partial<Run> & Pick<Run, 'run_id' | 'job_id' | 'status' | 'scheduled_at'>;

export interface Replay {
  events: BusEvent[];
  event_bus_seq: number;
  projection_version?: number;
  projection_last_event_seq?: number;
  stream_id: string;
  oldest_seq: number;
  has_more: boolean;
  gap: boolean;
}

export type StreamPayload =
  | {
      kind: 'event';
      event: BusEvent;
      projection_version: number;
      projection_last_event_seq: number;
    }
  | { kind: 'heartbeat'; seq: number; projection_version: number; stream_id: string }
  | { kind: 'reset'; reason: string; seq: number; projection_version?: number; stream_id?: string };

export interface Ledger {
  start_utc: string;
  end_utc: string;
  expected: number;
  outcomes: {
    ran: Partial<Record<'success' | 'error' | 'timeout' | 'stalled' | 'cancelled', number>>;
    skipped: Record<string, number>;
    missed: Partial<Record<StasisStatus, number>>;
    interrupted: number;
    in_flight: number;
  };
  unaccounted: string[];
  unaccounted_count: number;
}

// -- page configuration, health, flags

export type PollKind = 'calendar' | 'heartbeat' | 'continuity';

export type PageConfig = Schemas['PageConfig'] & { poll_seconds: Record<PollKind, number> };

export interface Flag {
  value: string | number | boolean;
  source: 'default' | 'environment' | 'override';
  changed_at: string | null;
  changed_by: string | null;
}

// -- metrics

export interface SchedulingMetrics {
  started_at: string;
  uptime_seconds: number;
  counters: Record<string, number>;
  event_counts: Record<string, Record<string, number>>;
  projection: Record<string, number>;
  event_bus: Record<string, number | string>;
  projection_state: Record<string, number | string | boolean | null>;
}

export interface ContinuityAlert {
  code: string;
  severity: string;
  message: string;
  actual: number;
  threshold: number;
}

export interface ContinuityMetrics {
  started_at: string;
  sessions_created: number;
  ws_attach_attempts: number;
  ws_attach_successes: number;
  ws_attach_failures: number;
  resume_attempts: number;
  resume_successes: number;
  resume_failures: number;
  turn_busy_rejected: number;
  duplicate_turn_prevention_count: number;
  resume_success_rate: number | null;
  attach_success_rate: number | null;
  continuity_status: 'ok' | 'degraded';
  alerts: ContinuityAlert[];
}

// -- heartbeat, sessions, notifications, logs

export interface HeartbeatSummary {
  timestamp: string;
  ok_only: boolean;
  text: string;
  token: string | null;
  sent: boolean;
  artifacts?: { writes: unknown[]; work_products: unknown[]; bash_commands: unknown[] };
  delivery?: {
    mode: string;
    targets: string[];
    connected_targets: string[];
    indicator_only: boolean;
  };
  suppressed_reason: string | null;
}

export interface Heartbeat {
  session_id: string;
  last_run: number | null;
  last_summary: HeartbeatSummary | null;
  busy: boolean;
  next_run: number | null;
  schedule: HeartbeatSchedule | null;
  delivery: { mode: string } | null;
  enabled?: boolean;
  off_label?: string | null;
  consecutive_failures?: number;
  config_error?: string | null;
  /** Relative to the folder of all workspaces. */
  workspace_dir?: string;
}

export interface HeartbeatSchedule {
  every_seconds?: number;
  description?: string;
  active_hours?: string | null;
  timezone?: string;
  [key: string]: unknown;
}

export interface HeartbeatFiles {
  session_id: string;
  checklist: string | null;
  config: string | null;
  version: string;
  checks: { name: string; command: string; line: number }[];
  agent_lines: number[];
  findings: { line: number; sentence: string }[];
  problems: string[];
  config_error: string | null;
}

export interface Session {
  session_id: string;
  user_id: string;
  workspace_dir: string;
  metadata: Record<string, unknown>;
  status?: string;
  source?: string;
  created_at?: string;
  last_active_at?: string;
  clients?: number;
}

export type NotificationStatus = Schemas['NotificationStatus'];

export interface Notification {
  id: string;
  kind: string;
  title: string;
  message: string;
  status: NotificationStatus;
  severity: string;
  session_id?: string | null;
  created_at: string;
  updated_at?: string;
  snoozed_until?: string | null;
  is_open?: boolean;
  /** When it is delivered again, if nobody acknowledges it. */
  remind_at?: string | null;
  metadata?: Record<string, unknown>;
}

/** A way to people beyond the dashboard. */
export interface Channel {
  name: string;
  service: string;
  severity: string;
  quiet_hours: string | null;
  digest: string | null;
  urgent: boolean;
  reminders: boolean;
  timezone: string;
  status: 'ok' | 'failing' | 'down';
  since: string | null;
  failures: number;
  error: string | null;
  delivered_at: string | null;
  failing_since: string | null;
  probe_at: string | null;
  pending: number;
}

export interface ChannelResult {
  channel: string;
  ok: boolean;
  answer: string;
}

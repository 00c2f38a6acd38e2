// Wire documents for tests, with their states by name.
import type {
  CalendarEvent,
  CalendarFeed,
  EventStatus,
  Heartbeat,
  Job,
  Notification,
  Run,
  Source,
  StasisItem,
} from '../api/contract';

const ACTIONS = ['run_now', 'pause', 'disable', 'open_logs'];
const MISSED_ACTIONS = ['approve_backfill_run', 'reschedule', 'delete_missed', 'open_logs'];

export function event(at: number, part: Partial<CalendarEvent> = {}): CalendarEvent {
  const seconds = Math.floor(at / 1000);
  const source: Source = part.source ?? 'cron';
  const source_ref = part.source_ref ?? 'job1';
  const iso = new Date(seconds * 1000).toISOString();
  const status: EventStatus = part.status ?? 'scheduled';
  return {
    event_id: `${source}|${source_ref}|${seconds}`,
    source,
    source_ref,
    owner_id: 'default',
    session_id: null,
    channel: null,
    title: 'Morning brief',
    description: 'every day at 09:00',
    category: 'normal',
    color_key: 'cron',
    status,
    scheduled_at_epoch: seconds,
    scheduled_at_utc: iso,
    scheduled_at_local: iso,
    timezone_display: 'UTC',
    always_running: false,
    actions: status === 'missed' ? MISSED_ACTIONS : ACTIONS,
    run_id: null,
    run_status: null,
    running: status === 'running',
    duration_seconds: null,
    ...part,
  };
}

export function feed(part: Partial<CalendarFeed> = {}): CalendarFeed {
  const start_utc = part.start_utc ?? '2026-11-15T00:00:00Z';
  const end_utc = part.end_utc ?? '2026-11-22T00:00:00Z';
  return {
    timezone: 'UTC',
    view: 'week',
    start_utc,
    end_utc,
    start_local: start_utc,
    end_local: end_utc,
    events: [],
    always_running: [],
    stasis_queue: [],
    legend: {},
    version: 1,
    last_event_at_utc: null,
    ...part,
  };
}

export function missed(at: number, part: Partial<StasisItem> = {}): StasisItem {
  const slot = part.event ?? event(at, { status: 'missed' });
  return {
    event_id: slot.event_id,
    status: 'pending',
    created_at: slot.scheduled_at_utc,
    updated_at: slot.scheduled_at_utc,
    event: slot,
    group: {
      count: 1,
      first_scheduled_at_utc: slot.scheduled_at_utc,
      last_scheduled_at_utc: slot.scheduled_at_utc,
    },
    cause: 'process_down',
    outage_id: 'out1',
    useful_until_utc: null,
    changed_since: false,
    recommended: { decision: 'approve', reason: 'no later slot does its work' },
    ...part,
  };
}

export function job(part: Partial<Job> = {}): Job {
  return {
    job_id: 'job1',
    version: 1,
    command: 'echo good morning',
    runner: 'shell',
    title: 'Morning brief',
    description: 'every day at 09:00',
    timezone: 'UTC',
    enabled: true,
    running: false,
    every_seconds: null,
    cron_expr: '0 9 * * *',
    run_at: null,
    next_run_at: 1795165200,
    last_run_at: 1795078800,
    created_at: 1794000000,
    user_id: 'default',
    workspace_dir: 'default',
    delete_after_run: false,
    model: null,
    metadata: {},
    off_label: null,
    consecutive_failures: 0,
    probe_at: null,
    overlap: 'skip',
    on_miss: 'ask',
    side_effects: false,
    pool: null,
    light: false,
    follows_cadence: [],
    misfire_grace_seconds: 60,
    useful_for_seconds: null,
    idle_timeout_seconds: null,
    timeout_seconds: 3600,
    retries: 0,
    jitter_seconds: 0,
    queue_limit_seconds: 900,
    auto_pause_after: 10,
    retry_interrupted: false,
    retry_backoff: [30, 60, 300, 900, 3600],
    fail_on: null,
    ...part,
  };
}

export function run(part: Partial<Run> = {}): Run {
  return {
    run_id: 'run1',
    job_id: 'job1',
    status: 'success',
    scheduled_at: 1795078800,
    started_at: 1795078800.04,
    finished_at: 1795078804.2,
    error: null,
    output_preview: 'good morning',
    trigger: 'schedule',
    attempt: 1,
    exit_code: 0,
    duration_seconds: 4.16,
    host: 'one',
    reason: null,
    event_id: 'cron|job1|1795078800',
    end_class: null,
    end_until: null,
    last_sign_of_life_at: null,
    last_sign_of_life: null,
    ...part,
  };
}

export function heartbeat(part: Partial<Heartbeat> = {}): Heartbeat {
  return {
    session_id: 'atlas',
    last_run: 1795078800,
    last_summary: {
      timestamp: '2026-11-19T09:00:00Z',
      ok_only: true,
      text: 'HEARTBEAT_OK',
      token: 'HEARTBEAT_OK',
      sent: false,
      suppressed_reason: 'ok_suppressed',
    },
    busy: false,
    next_run: 1795080600,
    schedule: { every_seconds: 1800, timezone: 'UTC', active_hours: null },
    delivery: { mode: 'last' },
    ...part,
  };
}

export function notification(part: Partial<Notification> = {}): Notification {
  return {
    id: 'note1',
    kind: 'cron_run_failed',
    title: 'Market scan failed twice in a row',
    message: 'exit code 1: connection refused',
    status: 'new',
    severity: 'error',
    session_id: null,
    created_at: '2026-11-19T09:00:00Z',
    ...part,
  };
}

// The fake gateway's answers that never change.
import type { Heartbeat } from '../api/contract';
import type { FakeOptions } from './fakeGateway';
import { heartbeat } from './factories';

interface Answer {
  status: number;
  body: unknown;
}

function heartbeats(now: number): Record<string, Heartbeat> {
  const ago = (minutes: number) => now / 1000 - minutes * 60;
  const iso = new Date(now - 720_000).toISOString();
  return {
    atlas: heartbeat({ last_run: ago(4), next_run: ago(-26) }),
    nova: heartbeat({ session_id: 'nova', last_run: ago(31), next_run: ago(-29), busy: true }),
    orion: heartbeat({
      session_id: 'orion',
      last_run: ago(12),
      next_run: ago(-18),
      schedule: { every_seconds: 3600, timezone: 'Europe/Berlin', active_hours: '08:00-22:00' },
      last_summary: {
        timestamp: iso,
        ok_only: false,
        text: 'Disk of the build host is at 92 %. Two invoices wait for an answer since Monday.',
        token: null,
        sent: true,
        suppressed_reason: null,
        delivery: {
          mode: 'last',
          targets: ['orion'],
          connected_targets: ['orion'],
          indicator_only: false,
        },
        artifacts: { writes: ['notes/disk.md'], work_products: [], bash_commands: ['df -h /'] },
      },
    }),
  };
}

const counters = {
  calendar_events_requests: 812,
  calendar_action_requests: 14,
  event_emissions_total: 90_412,
  cron_events_total: 84_120,
  heartbeat_events_total: 6_292,
  push_stream_connects: 31,
  push_stream_disconnects: 29,
  push_stream_event_payloads: 120_331,
  push_stream_resets: 0,
  projection_applied: 90_412,
};

function metrics(now: number) {
  return {
    started_at: new Date(now - 5 * 86_400_000).toISOString(),
    uptime_seconds: 5 * 86_400,
    counters,
    event_counts: {
      cron: { cron_run_completed: 31_220, cron_run_failed: 402, cron_run_missed: 12 },
      heartbeat: { heartbeat_completed: 3_012 },
    },
    projection: {
      builds: 812,
      duration_ms_last: 6.1,
      duration_ms_max: 31.4,
      duration_ms_avg: 7.2,
      events_total: 3_204,
      due_lag_samples: 31_000,
      due_lag_seconds_last: 0.011,
      due_lag_seconds_max: 0.212,
      due_lag_seconds_avg: 0.014,
      due_lag_seconds_p50: 0.009,
      due_lag_seconds_p95: 0.031,
      due_lag_seconds_p99: 0.088,
    },
    event_bus: {
      seq: 90_000 + (Math.floor(now / 1000) % 1000),
      max_events: 5_000,
      buffered_events: 5_000,
      subscriber_count: 2,
    },
    projection_state: { enabled: true, version: 1_284, last_event_seq: 90_412, lag_events: 0 },
  };
}

function continuity(now: number) {
  return {
    started_at: new Date(now - 5 * 86_400_000).toISOString(),
    sessions_created: 3,
    ws_attach_attempts: 41,
    ws_attach_successes: 41,
    ws_attach_failures: 0,
    resume_attempts: 12,
    resume_successes: 12,
    resume_failures: 0,
    turn_busy_rejected: 1,
    duplicate_turn_prevention_count: 2,
    resume_success_rate: 1,
    attach_success_rate: 1,
    continuity_status: 'ok',
    alerts: [],
  };
}

const ledger = (now: number) => ({
  start_utc: new Date(now - 86_400_000).toISOString(),
  end_utc: new Date(now).toISOString(),
  expected: 468,
  outcomes: {
    ran: { success: 441, error: 7, timeout: 1, cancelled: 0 },
    skipped: { overlap: 9, quiet_hours: 2 },
    missed: { pending: 5, approved_and_run: 1, deleted: 1 },
    interrupted: 0,
    in_flight: 1,
  },
  unaccounted: [],
  unaccounted_count: 0,
});

const EMPTY_LEDGER = {
  expected: 0,
  outcomes: { ran: {}, skipped: {}, missed: {}, interrupted: 0, in_flight: 0 },
  unaccounted: [],
  unaccounted_count: 0,
};

const slots = (hour: number) =>
  [20, 23, 24].map((day) => {
    const utc = new Date(Date.UTC(2026, 10, day) + hour * 3_600_000).toISOString();
    return { utc, local: utc };
  });

function proposal(parts: string[], body: unknown, now: number) {
  const instruction =
    typeof body === 'object' && body !== null && 'instruction' in body ? body.instruction : '';
  return {
    proposal_id: 'p1',
    event_id: parts[3] ?? '',
    source: 'cron',
    source_ref: 'daily0',
    instruction,
    summary: 'Run Morning brief at 08:30 on weekdays instead of every day at 07:00.',
    before: { schedule: 'at 07:00 every day', timezone: 'UTC', enabled: true, next: slots(7) },
    after: { schedule: 'at 08:30 on weekdays', timezone: 'UTC', enabled: true, next: slots(8.5) },
    operation: 'edit',
    warnings: ['It no longer runs on Saturday and Sunday.'],
    confidence: 'high',
    status: 'pending_confirmation',
    created_at: new Date(now).toISOString(),
    expires_at: new Date(now + 600_000).toISOString(),
  };
}

const lines = Array.from(
  { length: 400 },
  (_, index) =>
    `2026-11-19T09:${String(index % 60).padStart(2, '0')}:00Z level=info action=run_admitted n=${index} <b>text stays text</b>`,
);

/** The answer to a route that needs no state; null where there is none. */
export function answerFixed(
  parts: string[],
  url: URL,
  body: unknown,
  options: FakeOptions,
): Answer | null {
  const now = options.now();
  const isEmpty = options.isEmpty === true;
  const route = parts.join('/');
  if (route.endsWith('/change-request'))
    return { status: 200, body: { proposal: proposal(parts, body, now) } };
  if (route.endsWith('/change-request/confirm')) {
    return { status: 200, body: { status: 'applied', proposal: proposal(parts, body, now) } };
  }
  if (route === 'ops/logs/tail') {
    const cursor = Number(url.searchParams.get('cursor') ?? 0);
    const fresh = cursor === 0 ? lines : [`${new Date(now).toISOString()} level=info action=tick`];
    return {
      status: 200,
      body: {
        file: 'run.log',
        file_id: 'a1-b2',
        cursor: cursor + 60,
        size: cursor + 60,
        lines: fresh,
        truncated: cursor === 0,
        reset: false,
      },
    };
  }
  if (route.startsWith('ops/scheduling/explain')) {
    const sentences = [
      'It was expected at 09:00 by version 3 of the job.',
      'It started 11 ms later and succeeded.',
    ];
    return { status: 200, body: { event_id: '', outcome: 'ran', sentences, events: [] } };
  }
  const found: Record<string, unknown> = {
    'heartbeat/last': { heartbeats: isEmpty ? {} : heartbeats(now) },
    'heartbeat/wake': { status: 'queued' },
    'ops/sessions': { sessions: isEmpty ? [] : sessions(now) },
    sessions: { session_id: 'new1', user_id: 'default', workspace_dir: 'new1', metadata: {} },
    'ops/metrics/scheduling-runtime': { metrics: metrics(now) },
    'ops/metrics/session-continuity': { metrics: continuity(now) },
    'ops/scheduling/ledger': isEmpty ? { ...ledger(now), ...EMPTY_LEDGER } : ledger(now),
    'ops/flags': { flags },
    'ops/audit': { entries: audit(now) },
    health: {
      status: 'healthy',
      timestamp: new Date(now).toISOString(),
      version: '0.1.0',
      db_status: 'connected',
      db_error: null,
      deployment_profile: { database: 'sqlite', cron: true, heartbeat: true },
      reasons: [],
    },
  };
  const answer = found[route];
  return answer === undefined ? null : { status: 200, body: answer };
}

const sessions = (now: number) =>
  ['atlas', 'nova', 'orion'].map((session_id, index) => ({
    session_id,
    user_id: 'default',
    workspace_dir: session_id,
    metadata: {},
    status: index === 1 ? 'running' : 'idle',
    source: 'api',
    last_active_at: new Date(now - index * 900_000).toISOString(),
    clients: index,
  }));

const flag = (value: string, source = 'default') => ({
  value,
  source,
  changed_at: null,
  changed_by: null,
});

const flags = {
  UA_SCHED_EVENT_PROJECTION_ENABLED: flag('1'),
  UA_SCHED_PUSH_ENABLED: flag('1'),
  NEXT_PUBLIC_UA_SCHED_PUSH_ENABLED: flag('1', 'environment'),
  UA_SCHED_PROJECTION_SHADOW: flag('0'),
};

const audited = (now: number, minutes: number, part: object) => ({
  seq: 90_000 - minutes,
  source: 'calendar',
  timestamp: new Date(now - minutes * 60_000).toISOString(),
  owner_id: 'default',
  session_id: null,
  status: null,
  ...part,
});

const audit = (now: number) => [
  audited(now, 10, {
    type: 'calendar_missed_resolved',
    source_ref: 'daily8',
    data: { action: 'approve_backfill_run', by: 'operator' },
  }),
  audited(now, 120, {
    type: 'cron_job_updated',
    source_ref: 'daily0',
    data: { changed: ['schedule', 'title'] },
  }),
];

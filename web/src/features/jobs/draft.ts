// A job as it is being written, and what is sent of it.
import type { Job, JobDraft, Priority } from '../../api/contract';
import { durationText, numberOf, secondsList, secondsOf } from './durations';
import { failOnDraft, failOnOf, type FailOnDraft, NO_RULES } from './failOn';

/** Everything as its field has it; numbers and durations are texts until they are sent. */
export interface Draft {
  title: string;
  command: string;
  runner: string;
  schedule: string;
  timezone: string;
  enabled: boolean;
  /** '': what follows from how often it runs. */
  on_miss: Job['on_miss'] | '';
  side_effects: boolean;
  overlap: Job['overlap'];
  useful_for: string;
  grace: string;
  queue_limit: string;
  jitter: string;
  timeout: string;
  idle_timeout: string;
  retries: string;
  retry_backoff: string;
  auto_pause_after: string;
  retry_interrupted: string;
  delete_after_run: boolean;
  pool: string;
  light: boolean;
  fail_on: FailOnDraft;
  model: string;
  workspace_dir: string;
  user_id: string;
  session_id: string;
  wake_heartbeat: WakeHeartbeat;
  priority: Priority;
  channel: string;
  tags: string;
}

export const WAKE_HEARTBEAT = ['', 'next', 'now', 'off'] as const;
export type WakeHeartbeat = (typeof WAKE_HEARTBEAT)[number];

export const newDraft = (timezone: string): Draft => ({
  title: '',
  command: '',
  runner: '',
  schedule: '',
  timezone,
  enabled: true,
  on_miss: '',
  side_effects: false,
  overlap: 'skip',
  useful_for: '',
  grace: '1m',
  queue_limit: '15m',
  jitter: '0',
  timeout: '1h',
  idle_timeout: '',
  retries: '0',
  retry_backoff: '30s, 1m, 5m, 15m, 1h',
  auto_pause_after: '10',
  retry_interrupted: '0',
  delete_after_run: false,
  pool: '',
  light: false,
  fail_on: NO_RULES,
  model: '',
  workspace_dir: '',
  user_id: '',
  session_id: '',
  wake_heartbeat: '',
  priority: 'normal',
  channel: '',
  tags: '',
});

/** The job's schedule as somebody would write it. */
export function scheduleText(job: Job): string {
  if (job.cron_expr !== null) return job.cron_expr;
  if (job.every_seconds !== null) return `every ${durationText(job.every_seconds)}`;
  return job.run_at === null ? '' : new Date(job.run_at * 1000).toISOString();
}

export const tagsOf = ({ metadata }: Pick<Job, 'metadata'>): readonly string[] =>
  Array.isArray(metadata.tags) ? metadata.tags.filter((tag) => typeof tag === 'string') : [];

/** Words between commas, each once. */
export const tagsIn = (text: string): string[] => [
  ...new Set(
    text
      .split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ''),
  ),
];

const wakeOf = (value: unknown): WakeHeartbeat => {
  if (value === false) return 'off';
  return WAKE_HEARTBEAT.find((each) => each !== '' && each === value) ?? '';
};

const follows = (job: Job, field: 'on_miss' | 'useful_for_seconds') =>
  job.follows_cadence.includes(field);

export const draftOf = (job: Job): Draft => ({
  title: job.title,
  command: job.command,
  runner: job.runner,
  schedule: scheduleText(job),
  timezone: job.timezone,
  enabled: job.enabled,
  on_miss: follows(job, 'on_miss') ? '' : job.on_miss,
  side_effects: job.side_effects,
  overlap: job.overlap,
  useful_for:
    job.useful_for_seconds === null || follows(job, 'useful_for_seconds')
      ? ''
      : durationText(job.useful_for_seconds),
  grace: durationText(job.misfire_grace_seconds),
  queue_limit: durationText(job.queue_limit_seconds),
  jitter: durationText(job.jitter_seconds),
  timeout: durationText(job.timeout_seconds),
  idle_timeout: job.idle_timeout_seconds === null ? '' : durationText(job.idle_timeout_seconds),
  retries: String(job.retries),
  retry_backoff: job.retry_backoff.map(durationText).join(', '),
  auto_pause_after: String(job.auto_pause_after),
  retry_interrupted: String(timesOf(job.retry_interrupted)),
  delete_after_run: job.delete_after_run,
  pool: job.pool ?? '',
  light: job.light,
  fail_on: failOnDraft(job.fail_on),
  model: job.model ?? '',
  workspace_dir: job.workspace_dir,
  user_id: job.user_id,
  session_id: job.metadata.session_id ?? '',
  wake_heartbeat: wakeOf(job.metadata.wake_heartbeat),
  priority: job.metadata.priority ?? 'normal',
  channel: job.metadata.channel ?? '',
  tags: tagsOf(job).join(', '),
});

/** How often a slot of an interrupted run is run again: once this was yes or no, and yes is twice. */
export const timesOf = (retry: boolean | number) => (retry === true ? 2 : Number(retry));

/** What is wrong with a field before anything is sent. */
export type DraftErrors = Partial<Record<keyof Draft, string>>;

const DURATIONS = [
  'useful_for',
  'grace',
  'queue_limit',
  'jitter',
  'timeout',
  'idle_timeout',
] as const;

/** Durations that may be left out. */
const OPTIONAL: readonly string[] = ['useful_for', 'idle_timeout'];

export function errorsIn(draft: Draft): DraftErrors {
  const errors: DraftErrors = {};
  for (const key of DURATIONS) {
    const isEmpty = OPTIONAL.includes(key) && draft[key].trim() === '';
    if (!isEmpty && secondsOf(draft[key]) === null) errors[key] = 'For example 90s, 15m or 1h30m.';
  }
  for (const key of ['retries', 'auto_pause_after', 'retry_interrupted'] as const) {
    if (numberOf(draft[key]) === null) errors[key] = 'A whole number.';
  }
  if (secondsList(draft.retry_backoff) === null) errors.retry_backoff = 'For example 30s, 5m, 1h.';
  if (failOnOf(draft.fail_on) === undefined)
    errors.fail_on = 'The rule for JSON is no JSON object.';
  return errors;
}

/** Every field as it is sent; call it with a draft that has no errors. */
function fieldsOf(draft: Draft): JobDraft {
  return {
    title: draft.title.trim(),
    command: draft.command,
    runner: draft.runner,
    enabled: draft.enabled,
    on_miss: draft.on_miss === '' ? null : draft.on_miss,
    side_effects: draft.side_effects,
    overlap: draft.overlap,
    useful_for_seconds: draft.useful_for.trim() === '' ? null : secondsOf(draft.useful_for),
    misfire_grace_seconds: secondsOf(draft.grace),
    queue_limit_seconds: secondsOf(draft.queue_limit),
    jitter_seconds: secondsOf(draft.jitter),
    timeout_seconds: secondsOf(draft.timeout),
    idle_timeout_seconds: draft.idle_timeout.trim() === '' ? null : secondsOf(draft.idle_timeout),
    retries: numberOf(draft.retries),
    retry_backoff: secondsList(draft.retry_backoff),
    auto_pause_after: numberOf(draft.auto_pause_after),
    retry_interrupted: numberOf(draft.retry_interrupted),
    delete_after_run: draft.delete_after_run,
    pool: draft.pool === '' ? null : draft.pool,
    light: draft.light,
    fail_on: failOnOf(draft.fail_on) ?? null,
    model: draft.model.trim() === '' ? null : draft.model.trim(),
    workspace_dir: draft.workspace_dir.trim(),
    user_id: draft.user_id.trim(),
  };
}

function metadataOf(draft: Draft, before: Job['metadata']): Job['metadata'] {
  const own: Job['metadata'] = {
    session_id: draft.session_id.trim(),
    channel: draft.channel.trim(),
    wake_heartbeat: draft.wake_heartbeat,
    tags: tagsIn(draft.tags),
    ...((draft.priority !== 'normal' || before.priority !== undefined) && {
      priority: draft.priority,
    }),
  };
  const isEmpty = (value: unknown) => value === '' || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(
    Object.entries({ ...before, ...own }).filter(([, value]) => !isEmpty(value)),
  );
}

const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function differing(after: JobDraft, before: JobDraft): JobDraft {
  const changed = Object.entries(after).filter(([key, value]) => {
    const old: unknown = Reflect.get(before, key);
    return !isSame(old, value);
  });
  return Object.fromEntries(changed);
}

/** What a new job is made from: what differs from the defaults is left to the gateway. */
export function createFields(draft: Draft): JobDraft & { command: string } {
  const metadata = metadataOf(draft, {});
  return {
    ...differing(fieldsOf(draft), fieldsOf(newDraft(draft.timezone))),
    command: draft.command,
    schedule: draft.schedule.trim(),
    timezone: draft.timezone,
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
}

/** Only what differs from the job as it is; an untouched schedule keeps its anchor. */
export function editFields(draft: Draft, job: Job): JobDraft {
  const before = draftOf(job);
  const isTimeChanged =
    draft.schedule.trim() !== before.schedule || draft.timezone !== before.timezone;
  const metadata = metadataOf(draft, job.metadata);
  return {
    ...differing(fieldsOf(draft), fieldsOf(before)),
    ...(isTimeChanged && { schedule: draft.schedule.trim(), timezone: draft.timezone }),
    ...(!isSame(metadata, metadataOf(before, job.metadata)) && { metadata }),
  };
}

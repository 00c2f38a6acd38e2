// A job as it is being written, and what is sent of it.
import type { Job, JobFields } from '../../api/contract';

export interface Draft {
  title: string;
  command: string;
  runner: string;
  schedule: string;
  timezone: string;
  on_miss: Job['on_miss'];
  overlap: Job['overlap'];
  timeout: string;
  retries: string;
  session_id: string;
  enabled: boolean;
}

export const newDraft = (timezone: string): Draft => ({
  title: '',
  command: '',
  runner: '',
  schedule: '',
  timezone,
  on_miss: 'ask',
  overlap: 'skip',
  timeout: '3600',
  retries: '0',
  session_id: '',
  enabled: true,
});

/** The job's schedule as somebody would write it. */
export function scheduleText(job: Job): string {
  if (job.cron_expr !== null) return job.cron_expr;
  if (job.every_seconds !== null) return `every ${everyText(job.every_seconds)}`;
  return job.run_at === null ? '' : new Date(job.run_at * 1000).toISOString();
}

function everyText(seconds: number): string {
  if (seconds % 86_400 === 0) return `${seconds / 86_400}d`;
  if (seconds % 3_600 === 0) return `${seconds / 3_600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

export const draftOf = (job: Job): Draft => ({
  title: job.title,
  command: job.command,
  runner: job.runner,
  schedule: scheduleText(job),
  timezone: job.timezone,
  on_miss: job.on_miss,
  overlap: job.overlap,
  timeout: String(job.timeout_seconds),
  retries: String(job.retries),
  session_id: job.metadata.session_id ?? '',
  enabled: job.enabled,
});

/** The gateway reads every kind of schedule: the same words mean the same everywhere. */
export const scheduleFields = (text: string): JobFields => ({ schedule: text.trim() });

const wholeNumber = (text: string) => Math.max(0, Math.round(Number(text) || 0));

function common(draft: Draft): JobFields {
  return {
    command: draft.command,
    ...(draft.title.trim() !== '' && { title: draft.title.trim() }),
    ...(draft.runner !== '' && { runner: draft.runner }),
    on_miss: draft.on_miss,
    overlap: draft.overlap,
    timeout_seconds: Math.max(1, wholeNumber(draft.timeout)),
    retries: wholeNumber(draft.retries),
    enabled: draft.enabled,
  };
}

/** What a new job is made from. */
export function createFields(draft: Draft): JobFields & { command: string } {
  const { session_id, command } = draft;
  return {
    ...common(draft),
    ...scheduleFields(draft.schedule),
    timezone: draft.timezone,
    command,
    ...(session_id !== '' && { metadata: { session_id } }),
  };
}

/** Only what differs from the job as it is; an untouched schedule keeps its anchor. */
export function editFields(draft: Draft, job: Job): JobFields {
  const before = draftOf(job);
  const isTimeChanged =
    draft.schedule.trim() !== before.schedule || draft.timezone !== before.timezone;
  const changed = Object.entries(common(draft)).filter(([key, value]) => {
    const old: unknown = Reflect.get(job, key);
    return old !== value;
  });
  const metadata = { ...job.metadata };
  if (draft.session_id === '') delete metadata.session_id;
  else metadata.session_id = draft.session_id;
  return {
    ...(Object.fromEntries(changed) as JobFields),
    ...(isTimeChanged && { ...scheduleFields(draft.schedule), timezone: draft.timezone }),
    ...(draft.session_id !== before.session_id && { metadata }),
  };
}

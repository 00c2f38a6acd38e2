import type { Job } from '../../api/contract';
import type { Look } from '../../ui/status';

interface State extends Look {
  isTrouble: boolean;
}

const state = (label: string, glyph: string, tone: Look['tone'], isTrouble = false): State => ({
  label,
  glyph,
  tone,
  isTrouble,
});

/** Whether it runs as its schedule says: a job that is paused after failures is enabled, and does not. */
export const isOn = (job: Pick<Job, 'enabled' | 'off_label'>): boolean =>
  job.enabled && job.off_label === null;

/** How a job is, in a word: what a person should know first. */
export function stateOf(job: Job): State {
  if (job.off_label === 'auto_paused') return state('paused after failures', '||', 'bad', true);
  if (!job.enabled) return state(job.off_label ?? 'disabled', '||', 'off');
  if (job.running) return state('running', '▶', 'run');
  if (job.consecutive_failures > 0) {
    const count = job.consecutive_failures;
    return state(count === 1 ? 'failed' : `failed ${count} in a row`, '✕', 'bad', true);
  }
  if (job.next_run_at === null) return state('will not run again', '!', 'miss', true);
  return state('waiting', '○', 'next');
}

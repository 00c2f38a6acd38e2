import type { Heartbeat } from '../../api/contract';

const GRACE_MS = 120_000;

export type BeatState = 'busy' | 'fresh' | 'overdue' | 'paused';

/** Whether a session's heart beats as it should: nothing is expected of a paused one. */
export function beatState(beat: Heartbeat, now: number): BeatState {
  if (beat.busy) return 'busy';
  if (beat.enabled === false || beat.off_label === 'auto_paused') return 'paused';
  if (beat.next_run !== null) return beat.next_run * 1000 + GRACE_MS > now ? 'fresh' : 'overdue';
  return beat.last_run === null ? 'overdue' : 'fresh';
}

/** What people call the session: the folder that it works in, which they may have named. */
export const beatName = (beat: Heartbeat): string => beat.workspace_dir ?? beat.session_id;

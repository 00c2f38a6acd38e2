import type { Heartbeat } from '../../api/contract';

const GRACE_MS = 120_000;

/** Whether a session's heartbeat is where it should be: busy, or not past its next beat. */
export function isFresh(beat: Heartbeat, now: number): boolean {
  if (beat.busy) return true;
  if (beat.next_run !== null) return beat.next_run * 1000 + GRACE_MS > now;
  return beat.last_run !== null;
}

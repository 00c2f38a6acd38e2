// How a session's heartbeat is: what a person should know about it first.
import type { Heartbeat } from '../../api/contract';
import { duration } from '../../lib/time';
import { ALERT_LOOK, EVENT_LOOK, type Look } from '../../ui/status';

const GRACE_MS = 120_000;

export type BeatState =
  'busy' | 'failing' | 'held' | 'alert' | 'overdue' | 'well' | 'unheard' | 'paused';

export function beatState(beat: Heartbeat, now: number): BeatState {
  if (beat.off_label === 'auto_paused') return 'held';
  if (beat.enabled === false) return 'paused';
  if ((beat.consecutive_failures ?? 0) > 0) return 'failing';
  const isAlert = beat.last_summary !== null && !beat.last_summary.ok_only;
  if (isAlert) return 'alert';
  if (beat.busy) return 'busy';
  const { next_run } = beat;
  if (next_run !== null && next_run * 1000 + GRACE_MS <= now) return 'overdue';
  if (next_run === null && beat.last_run === null) return 'overdue';
  return beat.last_summary === null ? 'unheard' : 'well';
}

const LOOKS: Record<BeatState, Look> = {
  busy: { label: 'busy', glyph: '▶', tone: 'run' },
  failing: { label: 'failing', glyph: '✕', tone: 'bad' },
  held: { label: 'paused after failures', glyph: '||', tone: 'bad' },
  alert: ALERT_LOOK,
  overdue: { label: 'overdue', glyph: '!', tone: 'miss' },
  well: { label: 'well', glyph: '✓', tone: 'ok' },
  unheard: { label: 'no report yet', glyph: '○', tone: 'next' },
  paused: EVENT_LOOK.paused,
};

export function beatLook(beat: Heartbeat, now: number): Look {
  const state = beatState(beat, now);
  const failures = beat.consecutive_failures ?? 0;
  if (state !== 'failing' || failures < 2) return LOOKS[state];
  return { ...LOOKS.failing, label: `failed ${failures} in a row` };
}

export const isInTrouble = (state: BeatState) =>
  state === 'failing' || state === 'held' || state === 'alert';

/** The name of the session: the folder that it works in, which a person may have chosen. */
export const beatName = (beat: Heartbeat): string => beat.workspace_dir ?? beat.session_id;

/** What the last beat came to, in a line. */
export function beatText(beat: Heartbeat): string {
  const failures = beat.consecutive_failures ?? 0;
  if (failures > 0) {
    const times = failures === 1 ? 'The last beat failed' : `The last ${failures} beats failed`;
    return beat.last_summary ? `${times}. Before: ${said(beat)}` : `${times}.`;
  }
  return said(beat);
}

function said({ last_summary }: Heartbeat): string {
  if (!last_summary) return 'no report yet';
  if (last_summary.ok_only) return 'all well';
  return last_summary.text === '' ? 'an empty report' : last_summary.text;
}

/** Every 30 m, or the gateway's words where the schedule is no interval. */
export function cadence(beat: Heartbeat): string {
  const every = beat.schedule?.every_seconds;
  return every === undefined ? (beat.schedule?.description ?? '') : `every ${duration(every)}`;
}

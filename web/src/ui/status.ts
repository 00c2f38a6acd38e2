// How each status looks and is called: one table, so that a colour is never the only sign.
import type { EventStatus, RunStatus } from '../api/contract';

export interface Look {
  label: string;
  glyph: string;
  tone: 'ok' | 'bad' | 'miss' | 'run' | 'off' | 'next';
}

export const EVENT_LOOK: Record<EventStatus, Look> = {
  scheduled: { label: 'scheduled', glyph: '○', tone: 'next' },
  running: { label: 'running', glyph: '▶', tone: 'run' },
  success: { label: 'success', glyph: '✓', tone: 'ok' },
  failed: { label: 'failed', glyph: '✕', tone: 'bad' },
  missed: { label: 'missed', glyph: '!', tone: 'miss' },
  paused: { label: 'paused', glyph: '||', tone: 'off' },
  disabled: { label: 'skipped', glyph: '–', tone: 'off' },
};

export const RUN_LOOK: Record<RunStatus, Look> = {
  queued: { label: 'queued', glyph: '…', tone: 'next' },
  running: { label: 'running', glyph: '▶', tone: 'run' },
  success: { label: 'success', glyph: '✓', tone: 'ok' },
  error: { label: 'error', glyph: '✕', tone: 'bad' },
  timeout: { label: 'timeout', glyph: '✕', tone: 'bad' },
  stalled: { label: 'stalled', glyph: '✕', tone: 'bad' },
  cancelled: { label: 'cancelled', glyph: '✕', tone: 'bad' },
  skipped: { label: 'skipped', glyph: '–', tone: 'off' },
  interrupted: { label: 'interrupted', glyph: '!', tone: 'miss' },
};

/** A beat that ran well and reported that something is wrong. */
export const ALERT_LOOK: Look = { label: 'alert', glyph: '!', tone: 'bad' };

const isAlert = (slot: { status: EventStatus; reason?: string | null }) =>
  slot.status === 'success' && slot.reason === 'alert';

/** What a slot counts as: an alert is a problem, though its beat ran well. */
export const countsAs = (slot: { status: EventStatus; reason?: string | null }): EventStatus =>
  isAlert(slot) ? 'failed' : slot.status;

/** How a slot looks. */
export const slotLook = (slot: { status: EventStatus; reason?: string | null }): Look =>
  isAlert(slot) ? ALERT_LOOK : EVENT_LOOK[slot.status];

/** Which of several statuses is shown first: problems before anything else. */
export const SEVERITY: Record<EventStatus, number> = {
  failed: 6,
  missed: 5,
  running: 4,
  success: 3,
  scheduled: 2,
  paused: 1,
  disabled: 0,
};

export const SOURCE_ICON = { cron: '◷', heartbeat: '♥' } as const;

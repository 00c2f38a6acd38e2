// What a slot says of itself in a tooltip or to a screen reader.
import type { CalendarEvent } from '../api/contract';
import { clock, dayClock, elapsed, zoneName } from '../lib/time';
import { slotLook } from '../ui/status';
import type { Day } from './days';

export const slotAt = (event: CalendarEvent) => event.scheduled_at_epoch * 1000;

/** 02:30, or 02:30 CET where the clock shows 02:30 twice on that day. */
export function slotClock(event: CalendarEvent, zone: string, day: Day | undefined): string {
  const at = slotAt(event);
  const time = clock(at, zone);
  const isTwice = day?.notes.get(Number(time.slice(0, 2)))?.kind === 'repeated';
  return isTwice ? `${time} ${zoneName(at, zone)}` : time;
}

/** The status in a word; what became of the run where that says more. */
export function statusWord(event: CalendarEvent): string {
  const { run_status } = event;
  const isPlain = run_status == null || run_status === 'success' || run_status === 'running';
  return isPlain ? slotLook(event).label : run_status;
}

/** Lines for the tooltip. */
export function slotTip(event: CalendarEvent, zone: string, own: string | null): string {
  const at = slotAt(event);
  const lines = [
    event.title,
    `${dayClock(at, zone)} ${zoneName(at, zone)}`,
    own !== null ? `${dayClock(at, own)} in ${own}` : '',
    statusWord(event) +
      (event.duration_seconds == null ? '' : ` · ${elapsed(event.duration_seconds)}`),
    event.description,
  ];
  return lines.filter((line) => line !== '').join('\n');
}

export const slotLabel = (event: CalendarEvent, time: string) =>
  `${time} ${event.title}, ${event.source}, ${statusWord(event)}`;

import type { MissCause, Recommended, StasisItem } from '../../api/contract';
import { duration, instant, shortWhen } from '../../lib/time';

const CAUSES: Record<MissCause, string> = {
  process_down: 'the gateway was down',
  planned_restart: 'the gateway was being restarted',
  host_suspended: 'the machine was asleep',
  clock_step: 'the clock was set forward',
  store_unavailable: 'the database could not be written',
  capacity: 'no worker was free in time',
  engine_off: 'the engine was switched off',
  interrupted: 'the run was cut off, its outcome is unknown',
  cooldown: 'a service that it uses was away',
};

export const causeText = (cause: MissCause | null | undefined) =>
  cause == null ? 'it was not run in time' : CAUSES[cause];

/** How late the latest slot of an item is by now. */
export const latenessOf = (item: StasisItem, now: number) =>
  duration((now - instant(item.group.last_scheduled_at_utc)) / 1000);

/** 24 slots, 03:10 to 06:50; null for a single one. */
export function groupText({ group }: StasisItem, zone: string, now: number): string | null {
  if (group.count <= 1) return null;
  const first = shortWhen(instant(group.first_scheduled_at_utc), zone, now);
  const last = shortWhen(instant(group.last_scheduled_at_utc), zone, now);
  return `${group.count} slots, ${first} to ${last}`;
}

/** How long running it is still of use; null where that is not limited. */
export function usefulText(item: StasisItem, now: number): string | null {
  if (item.useful_until_utc == null) return null;
  const left = (instant(item.useful_until_utc) - now) / 1000;
  return left > 0 ? `useful for ${duration(left)} more` : 'no longer useful';
}

const ADVICE: Record<Recommended['decision'], string> = {
  approve: 'run it',
  reschedule: 'run it later',
  delete: 'delete it',
};

/** run it - its result is useful for 40 minutes more. */
export const whatToDo = ({ decision, reason }: Recommended) => `${ADVICE[decision]} - ${reason}`;

/** Recommended: run it - its result is useful for 40 minutes more. */
export const adviceText = ({ decision, reason }: Recommended) =>
  `Recommended: ${whatToDo({ decision, reason })}`;

/** What carrying out the recommendations comes to: 2 run, 1 is deleted. */
export function adviceSummary(items: readonly StasisItem[]): string {
  const count = (decision: Recommended['decision']) =>
    items.filter((item) => item.recommended?.decision === decision).length;
  const parts: [number, string, string][] = [
    [count('approve'), 'runs now', 'run now'],
    [count('reschedule'), 'runs in an hour', 'run in an hour'],
    [count('delete'), 'is deleted', 'are deleted'],
  ];
  return parts
    .filter(([number]) => number > 0)
    .map(([number, one, many]) => `${number} ${number === 1 ? one : many}`)
    .join(', ');
}

export interface Outage {
  key: string;
  items: readonly StasisItem[];
  slots: number;
}

/** Items by the outage they were missed in, the outage first whose item comes first. */
export function byOutage(items: readonly StasisItem[]): Outage[] {
  const groups = new Map<string, StasisItem[]>();
  for (const item of items) {
    const key = item.outage_id ?? `alone ${item.event_id}`;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups].map(([key, group]) => ({
    key,
    items: group,
    slots: group.reduce((sum, item) => sum + item.group.count, 0),
  }));
}

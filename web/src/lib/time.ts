// The only file that formats times and durations. An instant is epoch milliseconds.

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone });
    formats.set(key, found);
  }
  return found;
}

/** An instant out of what the wire holds: ISO text, or epoch seconds. */
export function instant(value: string | number): number {
  return typeof value === 'number' ? value * 1000 : Date.parse(value);
}

export function maybeInstant(value: string | number | null | undefined): number | null {
  if (value === null || value === undefined) return null;
  const at = instant(value);
  return Number.isFinite(at) ? at : null;
}

const CLOCK = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;

/** 09:05 */
export const clock = (at: number, zone: string) => format(zone, CLOCK).format(at);

/** 09:05:07 */
export const clockSeconds = (at: number, zone: string) =>
  format(zone, { ...CLOCK, second: '2-digit' }).format(at);

/** Thu 19 Nov */
export const dayName = (at: number, zone: string) =>
  format(zone, { weekday: 'short', day: 'numeric', month: 'short' }).format(at).replace(',', '');

/** Thursday 19 November 2026 */
export const longDay = (at: number, zone: string) =>
  format(zone, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
    .format(at)
    .replace(',', '');

/** November 2026 */
export const monthName = (at: number, zone: string) =>
  format(zone, { month: 'long', year: 'numeric' }).format(at);

/** Thu 19 Nov 09:05 */
export const dayClock = (at: number, zone: string) => `${dayName(at, zone)} ${clock(at, zone)}`;

/** The zone's name at that instant, such as CET: it tells the two halves of a repeated hour apart. */
export function zoneName(at: number, zone: string): string {
  const parts = format(zone, { ...CLOCK, timeZoneName: 'short' }).formatToParts(at);
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? zone;
}

/** 2026-11-19 */
export function isoDate(at: number, zone: string): string {
  const parts = format(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(
    at,
  );
  const of = (type: Intl.DateTimeFormatPartTypes) =>
    parts.find((part) => part.type === type)?.value ?? '';
  return `${of('year')}-${of('month')}-${of('day')}`;
}

/** 2026-11-19T09:05, as an <input type="datetime-local"> has it. */
export const localInput = (at: number, zone: string) => `${isoDate(at, zone)}T${clock(at, zone)}`;

/** 09:05, or 09:05:30 where there are seconds to it. */
export const shortClock = (at: number, zone: string) =>
  at % 60_000 === 0 ? clock(at, zone) : clockSeconds(at, zone);

/** Thu 19 Nov 09:05, with the seconds where there are any. */
export const dayShortClock = (at: number, zone: string) =>
  `${dayName(at, zone)} ${shortClock(at, zone)}`;

/** Today as 09:05, other days with their day. */
export function shortWhen(at: number, zone: string, now: number): string {
  return isoDate(at, zone) === isoDate(now, zone) ? clock(at, zone) : dayClock(at, zone);
}

const UNITS: readonly [seconds: number, letter: string][] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'm'],
  [1, 's'],
];

/** 3 d 4 h, 5 h 12 m, 38 s: two units at most, and the second only where it matters. */
export function duration(seconds: number): string {
  const whole = Math.round(Math.abs(seconds));
  const first = UNITS.findIndex(([size]) => whole >= size);
  const [size, letter] = UNITS[first] ?? [1, 's'];
  const count = Math.floor(whole / size);
  const second = UNITS[first + 1];
  if (!second || count >= 10) return `${count} ${letter}`;
  const rest = Math.floor((whole - count * size) / second[0]);
  return rest > 0 ? `${count} ${letter} ${rest} ${second[1]}` : `${count} ${letter}`;
}

/** 840 ms, 4.2 s, 3 m 5 s: how long something took. */
export function elapsed(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  return duration(seconds);
}

/** in 3 m, 4 m ago, now */
export function relative(at: number, now: number): string {
  const seconds = (at - now) / 1000;
  if (Math.abs(seconds) < 1) return 'now';
  return seconds > 0 ? `in ${duration(seconds)}` : `${duration(seconds)} ago`;
}

/** +02:00 */
export function offsetText(at: number, zone: string): string {
  const parts = format(zone, { timeZoneName: 'longOffset' }).formatToParts(at);
  const text = parts.find((part) => part.type === 'timeZoneName')?.value.replace('GMT', '') ?? '';
  return text === '' ? '+00:00' : text;
}

export const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

export const allZones = (): string[] => ['UTC', ...Intl.supportedValuesOf('timeZone')];

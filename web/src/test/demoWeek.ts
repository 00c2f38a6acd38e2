// A busy week of about 3,200 slots around an instant, always the same for the same instant.
import type { AlwaysRunning, CalendarEvent, EventStatus, Source } from '../api/contract';
import { event } from './factories';

const MINUTE = 60_000;
const DAY = 86_400_000;

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Series {
  ref: string;
  title: string;
  source: Source;
  every: number;
  offset: number;
  takes: number;
  zone?: string;
}

const DAILY = [
  ['Morning brief', 420, 15],
  ['Daily report', 1020, 20],
  ['Backup memory', 120, 25],
  ['Standup digest', 540, 10],
  ['Market scan', 390, 12],
  ['News digest', 480, 18],
  ['Invoice check', 660, 9],
  ['Nightly build', 60, 45],
  ['Cleanup', 200, 14],
] as const;

const SERIES: readonly Series[] = [
  { ref: 'inbox', title: 'Inbox triage', source: 'cron', every: 10, offset: 3, takes: 2 },
  { ref: 'metrics', title: 'Metrics scrape', source: 'cron', every: 15, offset: 5, takes: 1 },
  { ref: 'sync', title: 'Repo sync', source: 'cron', every: 30, offset: 11, takes: 3 },
  { ref: 'mail', title: 'Mail digest', source: 'cron', every: 20, offset: 2, takes: 2 },
  ...DAILY.map(([title, offset, takes], index) => ({
    ref: `daily${index}`,
    title,
    source: 'cron' as const,
    every: 1440,
    offset,
    takes,
    ...(index === 4 && { zone: 'America/New_York' }),
  })),
  ...Array.from({ length: 12 }, (_, index) => ({
    ref: `feed${index}`,
    title: `Watch feed ${index + 1}`,
    source: 'cron' as const,
    every: [240, 360, 480, 720][index % 4] ?? 240,
    offset: index * 17 + 30,
    takes: 8,
  })),
  { ref: 'weekly', title: 'Weekly review', source: 'cron', every: 10080, offset: 6720, takes: 60 },
  { ref: 'pay', title: 'Payroll prep', source: 'cron', every: 10080, offset: 2040, takes: 45 },
];

const BEATS = [
  { ref: 'atlas', title: 'Atlas', every: 30, offset: 0 },
  { ref: 'nova', title: 'Nova', every: 30, offset: 7 },
  { ref: 'orion', title: 'Orion', every: 60, offset: 12 },
] as const;

const words = (minutes: number) =>
  minutes % 1440 === 0
    ? 'every day'
    : minutes % 60 === 0
      ? `every ${minutes / 60} h`
      : `every ${minutes} m`;

function statusOf(at: number, now: number, takes: number, chance: number): EventStatus {
  if (at >= now) return 'scheduled';
  if (at > now - takes * MINUTE) return 'running';
  return chance < 0.02 ? 'failed' : chance < 0.032 ? 'missed' : 'success';
}

/** Slots from `start` on for `days` days. */
export function demoEvents(start: number, days: number, now: number): CalendarEvent[] {
  const out: CalendarEvent[] = [];
  for (const { ref, title, source, every, offset, takes, zone } of SERIES) {
    const week = Math.floor(start / (7 * DAY)) * 7 * DAY;
    const random = randomFrom(ref.length * 31 + offset + Math.floor(start / DAY));
    for (let at = week + offset * MINUTE; at < start + days * DAY; at += every * MINUTE) {
      if (at < start) continue;
      const status = statusOf(at, now, takes, random());
      const isOver = status === 'success' || status === 'failed';
      out.push(
        event(at, {
          source,
          source_ref: ref,
          title,
          description: words(every),
          status,
          timezone_display: zone ?? 'UTC',
          run_id: isOver || status === 'running' ? `run-${ref}-${at / 1000}` : null,
          run_status: status === 'failed' ? 'error' : status === 'success' ? 'success' : null,
          duration_seconds: isOver ? takes * 60 * (0.5 + random()) : null,
        }),
      );
    }
  }
  return out.sort((a, b) => a.scheduled_at_epoch - b.scheduled_at_epoch);
}

/** Rows of heartbeats, by the hour. */
export function demoRows(start: number, days: number, now: number): AlwaysRunning[] {
  return BEATS.map(({ ref, title, every, offset }) => {
    const random = randomFrom(offset + 5);
    const hourly = new Map<number, Partial<Record<EventStatus, number>>>();
    for (let at = start + offset * MINUTE; at < start + days * DAY; at += every * MINUTE) {
      const hour = Math.floor(at / 3_600_000) * 3_600_000;
      const counts = hourly.get(hour) ?? {};
      const status = statusOf(at, now, 1, random() * 2);
      counts[status] = (counts[status] ?? 0) + 1;
      hourly.set(hour, counts);
    }
    return {
      source: 'heartbeat',
      source_ref: ref,
      session_id: ref,
      title,
      description: `heartbeat ${words(every)}`,
      hourly: [...hourly].map(([hour, counts]) => ({
        start_utc: new Date(hour).toISOString(),
        counts,
      })),
    };
  });
}

export const demoSeries = SERIES;

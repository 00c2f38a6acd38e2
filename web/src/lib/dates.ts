// Arithmetic on calendar dates, written 2026-11-19. No zone and no clock is involved.

const DAY_MS = 86_400_000;

const utc = (date: string) => Date.parse(`${date}T00:00:00Z`);

export const isDate = (text: string) =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && Number.isFinite(utc(text));

export const addDays = (date: string, days: number) =>
  new Date(utc(date) + days * DAY_MS).toISOString().slice(0, 10);

/** 0 is Sunday. */
export const weekday = (date: string) => new Date(utc(date)).getUTCDay();

/** The Sunday that the date's week begins with. */
export const weekStart = (date: string) => addDays(date, -weekday(date));

export const monthStart = (date: string) => `${date.slice(0, 7)}-01`;

export function addMonths(date: string, months: number): string {
  const first = new Date(utc(monthStart(date)));
  first.setUTCMonth(first.getUTCMonth() + months);
  return first.toISOString().slice(0, 10);
}

export const datesFrom = (first: string, count: number) =>
  Array.from({ length: count }, (_, index) => addDays(first, index));

/** Six weeks that hold the date's month, or five where that is enough. */
export function monthDates(date: string): string[] {
  const first = weekStart(monthStart(date));
  const next = addMonths(date, 1);
  const weeks = Math.ceil((utc(next) - utc(first)) / DAY_MS / 7);
  return datesFrom(first, weeks * 7);
}

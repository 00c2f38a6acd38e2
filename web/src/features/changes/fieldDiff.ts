// What a proposal changes, field by field, as text.

export interface FieldChange {
  name: string;
  before: string;
  after: string;
}

type Fields = Readonly<Record<string, unknown>>;

export function valueText(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The fields that differ, in the order in which they are named. */
export function changesBetween(before: Fields, after: Fields): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .map((name) => ({ name, before: valueText(before[name]), after: valueText(after[name]) }))
    .filter((change) => change.before !== change.after);
}

/** The part of a proposal's side that is a schedule, for asking what it means. */
export function scheduleIn(fields: Fields): Record<string, string | number> | null {
  const { cron_expr, every_seconds, run_at, timezone } = fields;
  const zone: Record<string, string> = typeof timezone === 'string' ? { timezone } : {};
  if (typeof cron_expr === 'string' && cron_expr !== '') return { cron_expr, ...zone };
  if (typeof every_seconds === 'number') return { every: `${every_seconds}s`, ...zone };
  if (typeof run_at === 'number' || typeof run_at === 'string') return { run_at, ...zone };
  return null;
}

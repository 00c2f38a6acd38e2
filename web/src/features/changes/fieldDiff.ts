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

/** The fields that differ, in the order in which they are named; slots are not a field. */
export function changesBetween(before: Fields, after: Fields): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => name !== 'next')
    .map((name) => ({ name, before: valueText(before[name]), after: valueText(after[name]) }))
    .filter((change) => change.before !== change.after);
}

// An audited event in words.
import type { BusEvent } from '../../api/contract';

const WHAT: Record<string, string> = {
  cron_job_created: 'created',
  cron_job_updated: 'edited',
  cron_job_deleted: 'deleted',
  calendar_missed_resolved: 'decided',
  calendar_change_applied: 'changed a slot of',
  flag_changed: 'switched',
};

const ACTIONS: Record<string, string> = {
  approve_backfill_run: 'approved and run',
  reschedule: 'rescheduled',
  delete_missed: 'deleted from stasis',
  undo_delete: 'deletion undone',
};

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

export function whatOf({ type, data }: BusEvent): string {
  const action = textOf(data.action);
  return ACTIONS[action] ?? WHAT[type] ?? type.replaceAll('_', ' ');
}

export const whoOf = ({ data }: BusEvent) => textOf(data.by);

export function detailOf({ type, data }: BusEvent): string {
  const { changed, note, name, value, change } = data;
  if (type === 'flag_changed') return `${textOf(name)} = ${value === true ? '1' : '0'}`;
  const fields = Array.isArray(changed) ? changed.map(String).join(', ') : '';
  const kind = textOf(change).replaceAll('_', ' ');
  return [fields, kind, textOf(note)].filter((part) => part !== '').join(' · ');
}

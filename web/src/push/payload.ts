// What a stream frame says. Anything that is not understood is null: the seq check notices the gap.
import type { StreamPayload } from '../api/contract';

function isPayload(value: unknown): value is StreamPayload {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  if (value.kind === 'event') {
    return (
      'event' in value &&
      typeof value.event === 'object' &&
      value.event !== null &&
      'seq' in value.event &&
      typeof value.event.seq === 'number'
    );
  }
  return (
    (value.kind === 'heartbeat' || value.kind === 'reset') &&
    'seq' in value &&
    typeof value.seq === 'number'
  );
}

export function parsePayload(data: string): StreamPayload | null {
  try {
    const value: unknown = JSON.parse(data);
    return isPayload(value) ? value : null;
  } catch {
    return null;
  }
}

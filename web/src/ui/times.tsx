// Times as people read them, in the display zone; the exact instant is in the title.
import type { JSX } from 'react';
import { useZone } from '../app/zone';
import { useNow } from '../lib/now';
import { clockSeconds, dayName, relative, shortWhen, zoneName } from '../lib/time';

interface TimeProps {
  at: number | null;
  /** What to say when there is no such time. */
  none?: string;
}

function exact(at: number, zone: string): string {
  return `${dayName(at, zone)} ${clockSeconds(at, zone)} ${zoneName(at, zone)} · ${new Date(at).toISOString()}`;
}

/** 09:05:07: the moment at which something was so. */
export function At({ at }: { at: number }): JSX.Element {
  const zone = useZone();
  return (
    <time className="num" dateTime={new Date(at).toISOString()} title={exact(at, zone)}>
      {clockSeconds(at, zone)}
    </time>
  );
}

/** 4 m ago, in 3 m */
export function Ago({
  at,
  none = '–',
  pace = 'calm',
}: TimeProps & { pace?: 'second' | 'calm' }): JSX.Element {
  const now = useNow(pace);
  const zone = useZone();
  if (at === null) return <span className="muted">{none}</span>;
  return (
    <time className="num" dateTime={new Date(at).toISOString()} title={exact(at, zone)}>
      {relative(at, now)}
    </time>
  );
}

/** 09:05, or Thu 19 Nov 09:05 when that is not today. */
export function When({ at, none = '–' }: TimeProps): JSX.Element {
  const now = useNow();
  const zone = useZone();
  if (at === null) return <span className="muted">{none}</span>;
  return (
    <time className="num" dateTime={new Date(at).toISOString()} title={exact(at, zone)}>
      {shortWhen(at, zone, now)}
    </time>
  );
}

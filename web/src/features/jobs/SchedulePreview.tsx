import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { JSX } from 'react';
import { api, take } from '../../api/client';
import type { JobDraft } from '../../api/contract';
import { messageOf } from '../../api/errors';
import { keys } from '../../api/keys';
import { useNow } from '../../lib/now';
import { dayShortClock, instant, relative, zoneName } from '../../lib/time';
import { useSettled } from '../../lib/useSettled';
import { useZone } from '../../app/zone';
import styles from './SchedulePreview.module.css';

/** The gateway's reading of a schedule; it stores nothing. */
export function useSchedulePreview(fields: JobDraft | null) {
  const settled = useSettled(JSON.stringify(fields));
  const asked: JobDraft | null =
    fields !== null && settled === JSON.stringify(fields) ? fields : null;
  return useQuery({
    queryKey: keys.preview(asked),
    queryFn: ({ signal }) => take(api.POST('/api/v1/cron/preview', { body: asked ?? {}, signal })),
    enabled: asked !== null,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    retry: false,
  });
}

/** Where the zone came from, when that is not the form's own field. */
const ZONE_SOURCES: Partial<Record<string, string>> = {
  schedule: ', named in the schedule',
  UA_TIMEZONE: ', the gateway’s UA_TIMEZONE',
  host: ', the gateway’s host',
};

interface SchedulePreviewProps {
  /** Null while nothing has been entered. */
  fields: JobDraft | null;
  hint: string;
}

/** What was understood: the schedule in words and the next slots. */
export function SchedulePreview({ fields, hint }: SchedulePreviewProps): JSX.Element {
  const zone = useZone();
  const now = useNow('second');
  const preview = useSchedulePreview(fields);
  const { data, error, isPlaceholderData } = preview;
  if (fields === null) return <Box tone="plain">{hint}</Box>;
  if (error) return <Box tone="bad">{messageOf(error)}</Box>;
  if (!data) return <Box tone="plain">Loading…</Box>;
  return (
    <Box tone="good" isOld={isPlaceholderData}>
      <p className={styles.words}>
        {data.description}
        <span className="muted">
          {' '}
          · {data.timezone}
          {ZONE_SOURCES[data.timezone_source]}
        </span>
      </p>
      {data.next.length === 0 ? (
        <p className="muted">No slot is ahead.</p>
      ) : (
        <ol className={styles.slots}>
          {data.next.map((slot) => {
            const at = instant(slot.utc);
            const isOther = data.timezone !== zone;
            return (
              <li key={slot.utc}>
                <b className="num">
                  {dayShortClock(at, data.timezone)} {zoneName(at, data.timezone)}
                </b>
                {isOther && <span className="muted num">{dayShortClock(at, zone)} here</span>}
                <span className="muted num">{relative(at, now)}</span>
              </li>
            );
          })}
        </ol>
      )}
      {data.notes.map((note) => (
        <p key={note} className={styles.caveat}>
          ! {note}
        </p>
      ))}
    </Box>
  );
}

interface BoxProps {
  tone: 'plain' | 'good' | 'bad';
  isOld?: boolean;
  children: React.ReactNode;
}

function Box({ tone, isOld = false, children }: BoxProps): JSX.Element {
  return (
    <div className={styles.box} data-tone={tone} data-old={isOld} role="status">
      {children}
    </div>
  );
}

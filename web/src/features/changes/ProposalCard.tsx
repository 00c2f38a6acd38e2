import { useQuery } from '@tanstack/react-query';
import type { JSX } from 'react';
import { api, take } from '../../api/client';
import type { Proposal } from '../../api/contract';
import { keys } from '../../api/keys';
import { dayClock, instant, zoneName } from '../../lib/time';
import { WordBadge } from '../../ui/StatusBadge';
import styles from './ChangeForm.module.css';
import { changesBetween, scheduleIn } from './fieldDiff';

const CONFIDENCE = {
  high: { label: 'understood', glyph: '✓', tone: 'ok' },
  medium: { label: 'probably understood', glyph: '?', tone: 'miss' },
  low: { label: 'not sure', glyph: '!', tone: 'miss' },
} as const;

/** What a change would come to: in a sentence, by field, and in the next slots. */
export function ProposalCard({ proposal }: { proposal: Proposal }): JSX.Element {
  const { before, after, summary, warnings, confidence } = proposal;
  const changes = changesBetween(before, after);
  const then = scheduleIn(before);
  const soon = scheduleIn(after);
  return (
    <section className={styles.card} aria-label="What would change">
      <p className={styles.summary}>
        {summary} <WordBadge {...CONFIDENCE[confidence]} />
      </p>
      {warnings.map((warning) => (
        <p key={warning} className={styles.warning}>
          ! {warning}
        </p>
      ))}
      {changes.length > 0 && (
        <table className={styles.diff}>
          <thead>
            <tr>
              <th scope="col">Field</th>
              <th scope="col">Before</th>
              <th scope="col">After</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((change) => (
              <tr key={change.name}>
                <th scope="row">{change.name.replaceAll('_', ' ')}</th>
                <td className={styles.old}>{change.before}</td>
                <td className={styles.new}>{change.after}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {(then ?? soon) && (
        <div className={styles.slots}>
          <Slots title="Next slots before" schedule={then} />
          <Slots title="Next slots after" schedule={after.enabled === false ? null : soon} />
        </div>
      )}
    </section>
  );
}

interface SlotsProps {
  title: string;
  schedule: Record<string, string | number> | null;
}

function Slots({ title, schedule }: SlotsProps): JSX.Element {
  const { data, error } = useQuery({
    queryKey: keys.preview(schedule),
    queryFn: ({ signal }) =>
      take(api.POST('/api/v1/cron/preview', { body: schedule ?? {}, signal })),
    enabled: schedule !== null,
    retry: false,
    staleTime: 30_000,
  });
  return (
    <div>
      <h3>{title}</h3>
      {schedule === null || error ? (
        <p className="muted">none</p>
      ) : (
        <ol>
          {data?.next.map((slot) => (
            <li key={slot.utc} className="num">
              {dayClock(instant(slot.utc), data.timezone)}{' '}
              <span className="muted">{zoneName(instant(slot.utc), data.timezone)}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

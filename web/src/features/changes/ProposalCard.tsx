import type { JSX } from 'react';
import type { Proposal, ProposalSide } from '../../api/contract';
import { dayClock, instant, zoneName } from '../../lib/time';
import { WordBadge } from '../../ui/StatusBadge';
import styles from './ChangeForm.module.css';
import { changesBetween } from './fieldDiff';

const CONFIDENCE = {
  high: { label: 'understood', glyph: '✓', tone: 'ok' },
  medium: { label: 'probably understood', glyph: '?', tone: 'miss' },
  low: { label: 'not sure', glyph: '!', tone: 'miss' },
} as const;

/** What a change would come to: in a sentence, by field, and in the next slots. */
export function ProposalCard({ proposal }: { proposal: Proposal }): JSX.Element {
  const { before, after, summary, warnings, confidence } = proposal;
  const changes = changesBetween(before, after);
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
      {before.next && after.next && (
        <div className={styles.slots}>
          <Slots title="Next slots before" side={before} />
          <Slots title="Next slots after" side={after} />
        </div>
      )}
    </section>
  );
}

function Slots({ title, side }: { title: string; side: ProposalSide }): JSX.Element {
  const zone = side.timezone ?? 'UTC';
  const slots = side.next ?? [];
  return (
    <div>
      <h3>{title}</h3>
      {slots.length === 0 ? (
        <p className="muted">none</p>
      ) : (
        <ol>
          {slots.map(({ utc }) => (
            <li key={utc} className="num">
              {dayClock(instant(utc), zone)}{' '}
              <span className="muted">{zoneName(instant(utc), zone)}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

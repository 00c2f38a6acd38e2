import type { JSX } from 'react';
import type { ContinuityMetrics } from '../../api/contract';
import { useContinuity } from '../../api/queries';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { WordBadge } from '../../ui/StatusBadge';
import styles from './Sessions.module.css';

const percent = (rate: number | null) =>
  rate === null ? '–' : `${Math.round(rate * 1000) / 10} %`;

/** How well clients get back to their sessions. */
export function ContinuityPanel(): JSX.Element {
  const query = useContinuity();
  const status = query.data?.continuity_status;
  return (
    <Panel
      title="Session continuity"
      actions={
        status &&
        (status === 'ok' ? (
          <WordBadge label="ok" glyph="✓" tone="ok" />
        ) : (
          <WordBadge label="degraded" glyph="!" tone="miss" />
        ))
      }
    >
      <Loaded query={query} what="session continuity" lines={2}>
        {(metrics) => <Figures metrics={metrics} />}
      </Loaded>
    </Panel>
  );
}

function Figures({ metrics }: { metrics: ContinuityMetrics }): JSX.Element {
  const figures: readonly [string, string | number][] = [
    ['resumes that succeeded', percent(metrics.resume_success_rate)],
    ['attachments that succeeded', percent(metrics.attach_success_rate)],
    ['sessions created', metrics.sessions_created],
    ['failed resumes', metrics.resume_failures],
    ['failed attachments', metrics.ws_attach_failures],
    ['turns refused as busy', metrics.turn_busy_rejected],
    ['repeated turns prevented', metrics.duplicate_turn_prevention_count],
  ];
  return (
    <>
      {metrics.alerts.map((alert) => (
        <p key={alert.code} className={styles.alert} role="alert">
          ! {alert.message}
        </p>
      ))}
      <div className={styles.figures}>
        {figures.map(([name, value]) => (
          <div key={name} className={styles.figure}>
            <b>{value}</b>
            <span>{name}</span>
          </div>
        ))}
      </div>
    </>
  );
}

import type { JSX } from 'react';
import { Link } from 'react-router';
import type { Heartbeat } from '../../api/contract';
import { useHeartbeats } from '../../api/queries';
import { useNow } from '../../lib/now';
import { maybeInstant, relative } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { WordBadge } from '../../ui/StatusBadge';
import { Ago } from '../../ui/times';
import { beatLook, beatName, beatState, beatText } from './freshness';
import styles from './HeartbeatPanel.module.css';

/** Each session's heartbeat: how it is, what it said last, when it beats next. */
export function HeartbeatPanel(): JSX.Element {
  const query = useHeartbeats();
  return (
    <Panel title="Heartbeats" count={query.data && Object.keys(query.data).length}>
      <Loaded query={query} what="the heartbeats">
        {(beats) =>
          Object.keys(beats).length === 0 ? (
            <EmptyState title="No session has a heartbeat yet" />
          ) : (
            <ul className={styles.list}>
              {Object.values(beats).map((beat) => (
                <Beat key={beat.session_id} beat={beat} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}

const nextWords = (isOverdue: boolean, next: number | null, now: number): string =>
  `${isOverdue ? 'overdue: was due' : 'next'} ${next === null ? 'not scheduled' : relative(next, now)}`;

function Beat({ beat }: { beat: Heartbeat }): JSX.Element {
  const now = useNow();
  const next = maybeInstant(beat.next_run);
  const state = beatState(beat, now);
  const look = beatLook(beat, now);
  return (
    <li>
      <Link to={`/sessions?id=${encodeURIComponent(beat.session_id)}`} className={styles.beat}>
        <span className={styles.head}>
          <span className={styles.heart} data-tone={look.tone} aria-hidden="true">
            ♥
          </span>
          <b className="clip">{beatName(beat)}</b>
          <span className={styles.when}>
            <WordBadge {...look} />
          </span>
        </span>
        <span className={styles.text}>{beatText(beat)}</span>
        <span className={styles.next} data-state={state}>
          <Ago at={maybeInstant(beat.last_run)} none="never ran" /> ·{' '}
          {state === 'paused' ? 'paused' : nextWords(state === 'overdue', next, now)}
        </span>
      </Link>
    </li>
  );
}

import type { JSX, ReactNode } from 'react';
import { Link } from 'react-router';
import { useComing, useHeartbeats, useLedger, useRuns, useStasis } from '../../api/queries';
import { useNow } from '../../lib/now';
import { duration, instant } from '../../lib/time';
import { At } from '../../ui/times';
import { beatState, isInTrouble } from './freshness';
import styles from './Tiles.module.css';

interface TileProps {
  to: string;
  figure: ReactNode;
  label: ReactNode;
  tone?: 'miss' | 'bad' | 'run' | undefined;
  query: { isError: boolean; dataUpdatedAt: number };
}

/** A figure. One that could not be read again is grey, and says from when it is. */
function Tile({ to, figure, label, tone, query }: TileProps): JSX.Element {
  const isOld = query.isError && query.dataUpdatedAt > 0;
  return (
    <li>
      <Link to={to} className={styles.tile} data-tone={isOld ? undefined : tone} data-old={isOld}>
        <span className={styles.figure}>{figure}</span>
        <span className={styles.label}>
          {label}
          {isOld && (
            <>
              , as of <At at={query.dataUpdatedAt} />
            </>
          )}
        </span>
      </Link>
    </li>
  );
}

/** Five figures, in the order in which they matter; each leads to what it counts. */
export function Tiles(): JSX.Element {
  return (
    <ul className={styles.tiles} aria-label="At a glance">
      <StasisTile />
      <FailedTile />
      <RunningTile />
      <HeartbeatTile />
      <NextTile />
    </ul>
  );
}

function StasisTile(): JSX.Element {
  const query = useStasis();
  const { data } = query;
  const now = useNow();
  const slots = (data ?? []).reduce((sum, item) => sum + item.group.count, 0);
  const oldest = Math.min(
    ...(data ?? []).map((item) => instant(item.group.first_scheduled_at_utc)),
  );
  const what = `in stasis: ${slots} ${slots === 1 ? 'slot' : 'slots'}`;
  return (
    <Tile
      to="/stasis"
      query={query}
      figure={data ? data.length : '–'}
      label={slots === 0 ? 'in stasis' : `${what}, oldest ${duration((now - oldest) / 1000)}`}
      tone={slots > 0 ? 'miss' : undefined}
    />
  );
}

function FailedTile(): JSX.Element {
  const query = useLedger();
  const { data } = query;
  const { error = 0, timeout = 0, stalled = 0, cancelled = 0 } = data?.outcomes.ran ?? {};
  const failed = error + timeout + stalled + cancelled;
  return (
    <Tile
      to="/logs?status=failed&hours=24"
      query={query}
      figure={data ? failed : '–'}
      label="failed in 24 h"
      tone={failed > 0 ? 'bad' : undefined}
    />
  );
}

function RunningTile(): JSX.Element {
  const query = useRuns();
  const { data } = query;
  const running = (data ?? []).filter((run) => run.status === 'running');
  const queued = (data ?? []).filter((run) => run.status === 'queued').length;
  return (
    <Tile
      to="/logs?status=open"
      query={query}
      figure={data ? running.length : '–'}
      label={queued > 0 ? `running now, ${queued} queued` : 'running now'}
      tone={running.length > 0 ? 'run' : undefined}
    />
  );
}

function HeartbeatTile(): JSX.Element {
  const query = useHeartbeats();
  const { data } = query;
  const now = useNow();
  // Of those that are to beat at all.
  const states = Object.values(data ?? {}).map((beat) => beatState(beat, now));
  const all = states.filter((state) => state !== 'paused');
  const failing = all.filter(isInTrouble).length;
  const overdue = all.filter((state) => state === 'overdue').length;
  const troubles = [
    failing > 0 ? `${failing} failing` : '',
    overdue > 0 ? `${overdue} overdue` : '',
  ];
  return (
    <Tile
      to="/sessions"
      query={query}
      figure={data ? `${all.length - failing - overdue} / ${all.length}` : '–'}
      label={
        all.length === 0
          ? 'no heartbeats'
          : ['heartbeats well', ...troubles].filter(Boolean).join(', ')
      }
      tone={failing > 0 ? 'bad' : overdue > 0 ? 'miss' : undefined}
    />
  );
}

function NextTile(): JSX.Element {
  const query = useComing();
  const { data } = query;
  const now = useNow('second');
  const next = data?.find((slot) => typeof slot.at === 'number' && slot.at * 1000 > now);
  const at = typeof next?.at === 'number' ? next.at * 1000 : null;
  const title = typeof next?.title === 'string' ? next.title : null;
  const job = typeof next?.job_id === 'string' ? next.job_id : null;
  return (
    <Tile
      to={job === null ? '/jobs' : `/jobs/${job}`}
      query={query}
      figure={at === null ? '–' : `in ${duration((at - now) / 1000)}`}
      label={title === null ? 'nothing is ahead' : `next: ${title}`}
    />
  );
}

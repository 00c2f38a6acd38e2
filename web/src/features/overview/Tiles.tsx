import type { JSX, ReactNode } from 'react';
import { Link } from 'react-router';
import { useComing, useHeartbeats, useLedger, useRuns, useStasis } from '../../api/queries';
import { useNow } from '../../lib/now';
import { duration, instant } from '../../lib/time';
import { beatState } from './freshness';
import styles from './Tiles.module.css';

interface TileProps {
  to: string;
  figure: ReactNode;
  label: ReactNode;
  tone?: 'miss' | 'bad' | 'run' | undefined;
}

function Tile({ to, figure, label, tone }: TileProps): JSX.Element {
  return (
    <li>
      <Link to={to} className={styles.tile} data-tone={tone}>
        <span className={styles.figure}>{figure}</span>
        <span className={styles.label}>{label}</span>
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
  const { data } = useStasis();
  const now = useNow();
  const slots = (data ?? []).reduce((sum, item) => sum + item.group.count, 0);
  const oldest = Math.min(
    ...(data ?? []).map((item) => instant(item.group.first_scheduled_at_utc)),
  );
  const what = `in stasis: ${slots} ${slots === 1 ? 'slot' : 'slots'}`;
  return (
    <Tile
      to="/stasis"
      figure={data ? data.length : '–'}
      label={slots === 0 ? 'in stasis' : `${what}, oldest ${duration((now - oldest) / 1000)}`}
      tone={slots > 0 ? 'miss' : undefined}
    />
  );
}

function FailedTile(): JSX.Element {
  const { data } = useLedger();
  const { error = 0, timeout = 0, cancelled = 0 } = data?.outcomes.ran ?? {};
  const failed = error + timeout + cancelled;
  return (
    <Tile
      to="/calendar?view=list&problems=1"
      figure={data ? failed : '–'}
      label="failed in 24 h"
      tone={failed > 0 ? 'bad' : undefined}
    />
  );
}

function RunningTile(): JSX.Element {
  const { data } = useRuns();
  const running = (data ?? []).filter((run) => run.status === 'running');
  const queued = (data ?? []).filter((run) => run.status === 'queued').length;
  return (
    <Tile
      to="/logs"
      figure={data ? running.length : '–'}
      label={queued > 0 ? `running now, ${queued} queued` : 'running now'}
      tone={running.length > 0 ? 'run' : undefined}
    />
  );
}

function HeartbeatTile(): JSX.Element {
  const { data } = useHeartbeats();
  const now = useNow();
  // Of those that are to beat at all.
  const states = Object.values(data ?? {}).map((beat) => beatState(beat, now));
  const all = states.filter((state) => state !== 'paused');
  const fresh = all.filter((state) => state !== 'overdue').length;
  return (
    <Tile
      to="/sessions"
      figure={data ? `${fresh} / ${all.length}` : '–'}
      label={all.length === 0 ? 'no heartbeats' : 'heartbeats fresh'}
      tone={fresh < all.length ? 'miss' : undefined}
    />
  );
}

function NextTile(): JSX.Element {
  const { data } = useComing();
  const now = useNow('second');
  const next = data?.find((slot) => typeof slot.at === 'number' && slot.at * 1000 > now);
  const at = typeof next?.at === 'number' ? next.at * 1000 : null;
  const title = typeof next?.title === 'string' ? next.title : null;
  const job = typeof next?.job_id === 'string' ? next.job_id : null;
  return (
    <Tile
      to={job === null ? '/jobs' : `/jobs/${job}`}
      figure={at === null ? '–' : `in ${duration((at - now) / 1000)}`}
      label={title === null ? 'nothing is ahead' : `next: ${title}`}
    />
  );
}

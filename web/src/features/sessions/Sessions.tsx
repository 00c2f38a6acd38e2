import { Button } from '@mantine/core';
import type { JSX } from 'react';
import { useSearchParams } from 'react-router';
import { useCreateSession, useWake } from '../../api/actions';
import type { Heartbeat, Session } from '../../api/contract';
import { useHeartbeats, useSessions } from '../../api/queries';
import { useNow } from '../../lib/now';
import { duration, maybeInstant } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { WordBadge } from '../../ui/StatusBadge';
import type { Look } from '../../ui/status';
import { Ago } from '../../ui/times';
import table from '../../ui/table.module.css';
import { beatName, beatState, type BeatState as State } from '../overview/freshness';
import { beatText } from '../overview/HeartbeatPanel';
import { ContinuityPanel } from './ContinuityPanel';
import { SessionDrawer } from './SessionDrawer';
import styles from './Sessions.module.css';

/** What is known of a session, from the list and from its heartbeat. */
export interface SessionRow {
  session_id: string;
  session: Session | null;
  beat: Heartbeat | null;
}

function rowsOf(
  sessions: readonly Session[],
  beats: Readonly<Record<string, Heartbeat>>,
): SessionRow[] {
  const ids = new Set([...sessions.map((each) => each.session_id), ...Object.keys(beats)]);
  return [...ids].sort().map((session_id) => ({
    session_id,
    session: sessions.find((each) => each.session_id === session_id) ?? null,
    beat: beats[session_id] ?? null,
  }));
}

/** Sessions, their heartbeats, and how well clients stay connected to them. */
export default function Sessions(): JSX.Element {
  const sessions = useSessions();
  const beats = useHeartbeats();
  const create = useCreateSession();
  const [search, setSearch] = useSearchParams();
  const chosen = search.get('id');
  // One of the two may be switched off; the other still has something to show.
  const main = sessions.data === undefined && beats.data !== undefined ? beats : sessions;
  const rows = rowsOf(sessions.data ?? [], beats.data ?? {});
  const row = rows.find((each) => each.session_id === chosen);
  return (
    <Page
      title="Sessions"
      actions={
        <Button loading={create.isPending} onClick={() => create.mutate()}>
          Create a session
        </Button>
      }
    >
      <Panel title="Sessions and heartbeats" count={main.data && rows.length}>
        <Loaded<unknown> query={main} what="the sessions" lines={6}>
          {() =>
            rows.length === 0 ? (
              <EmptyState title="No session yet">
                A session is a workspace with an owner; heartbeats and session-bound jobs act in it.
              </EmptyState>
            ) : (
              <SessionTable rows={rows} onOpen={(id) => setSearch({ id })} />
            )
          }
        </Loaded>
      </Panel>
      <ContinuityPanel />
      {row && <SessionDrawer row={row} onClose={() => setSearch({})} />}
    </Page>
  );
}

interface SessionTableProps {
  rows: readonly SessionRow[];
  onOpen: (sessionId: string) => void;
}

function SessionTable({ rows, onOpen }: SessionTableProps): JSX.Element {
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th scope="col">Session</th>
          <th scope="col">Heartbeat</th>
          <th scope="col" className={table.wide}>
            Last said
          </th>
          <th scope="col">Next</th>
          <th scope="col">
            <span className="sr-only">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={row.session_id} row={row} onOpen={onOpen} />
        ))}
      </tbody>
    </table>
  );
}

const BADGES: Record<State, Look> = {
  busy: { label: 'busy', glyph: '▶', tone: 'run' },
  fresh: { label: 'fresh', glyph: '♥', tone: 'ok' },
  overdue: { label: 'overdue', glyph: '!', tone: 'miss' },
  paused: { label: 'paused', glyph: '||', tone: 'off' },
};

export function BeatState({ beat }: { beat: Heartbeat | null }): JSX.Element {
  const now = useNow();
  if (beat === null) return <span className="muted">none</span>;
  return <WordBadge {...BADGES[beatState(beat, now)]} />;
}

function Row({ row, onOpen }: { row: SessionRow; onOpen: (id: string) => void }): JSX.Element {
  const { session_id, session, beat } = row;
  const wake = useWake();
  const every = beat?.schedule?.every_seconds;
  return (
    <tr>
      <td>
        <button type="button" className={styles.name} onClick={() => onOpen(session_id)}>
          {beat ? beatName(beat) : session_id}
        </button>
        {session && (
          <span className={styles.second}>
            {session.user_id}
            {session.status !== undefined && `, ${session.status}`}
          </span>
        )}
      </td>
      <td>
        <BeatState beat={beat} />
        <span className={styles.second}>
          {every === undefined ? '' : `every ${duration(every)}, `}
          <Ago at={maybeInstant(beat?.last_run)} none="never ran" />
        </span>
      </td>
      <td className={table.wide}>
        <span className={styles.said}>{beat ? beatText(beat) : ''}</span>
      </td>
      <td className={styles.tight}>
        <Ago at={maybeInstant(beat?.next_run)} />
      </td>
      <td className={table.right}>
        {beat && (
          <span className={styles.actions}>
            <Button onClick={() => wake.mutate({ session_id, mode: 'now' })}>Wake now</Button>
            <Button
              className={table.wide}
              onClick={() => wake.mutate({ session_id, mode: 'next' })}
            >
              With next
            </Button>
          </span>
        )}
      </td>
    </tr>
  );
}

import { Button } from '@mantine/core';
import { type JSX, useMemo, useRef, useState } from 'react';
import { useSearchParams } from 'react-router';
import type { Heartbeat, Session } from '../../api/contract';
import { useHeartbeats, useSessions } from '../../api/queries';
import { useWake } from '../../api/sessionActions';
import { useNow } from '../../lib/now';
import { maybeInstant } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { FilterBox } from '../../ui/FilterBox';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { SortHeader, useSorted } from '../../ui/sorting';
import { WordBadge } from '../../ui/StatusBadge';
import { Ago } from '../../ui/times';
import table from '../../ui/table.module.css';
import { beatLook, beatText, cadence } from '../overview/freshness';
import { ContinuityPanel } from './ContinuityPanel';
import { NewSessionDialog } from './NewSessionDialog';
import { SessionDrawer } from './SessionDrawer';
import { rowsOf, type SessionRow } from './rows';
import styles from './Sessions.module.css';

/** Sessions, their heartbeats, and how well clients stay connected to them. */
export default function Sessions(): JSX.Element {
  const sessions = useSessions();
  const beats = useHeartbeats();
  const [isCreating, setCreating] = useState(false);
  const [search, setSearch] = useSearchParams();
  const box = useRef<HTMLInputElement>(null);
  const chosen = search.get('id');
  const q = search.get('q') ?? '';
  // One of the two may be switched off; the other still has something to show.
  const main = sessions.data === undefined && beats.data !== undefined ? beats : sessions;
  const rows = useMemo(() => rowsOf(sessions.data ?? [], beats.data ?? {}), [sessions, beats]);
  const row = rows.find((each) => each.session_id === chosen);
  const change = (key: string, value: string | null) =>
    setSearch((params) => {
      if (value === null || value === '') params.delete(key);
      else params.set(key, value);
      return params;
    });
  const words = q.toLowerCase().split(/\s+/);
  const wanted = rows.filter(({ name, session_id, session }) => {
    const text = `${name} ${session_id} ${session?.user_id ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return (
    <Page
      title="Sessions"
      actions={<Button onClick={() => setCreating(true)}>Create a session</Button>}
    >
      <FilterBox
        box={box}
        className={styles.find}
        label="Find a session"
        placeholder="Find a session"
        value={q}
        onChange={(text) => change('q', text)}
      />
      <Panel title="Sessions and heartbeats" count={main.data && wanted.length}>
        <Loaded<unknown> query={main} what="the sessions" lines={6}>
          {() =>
            wanted.length === 0 ? (
              <EmptyState title={rows.length === 0 ? 'No session yet' : 'No session matches'}>
                A session is a folder with an owner. Its heartbeat checks what its checklist says.
              </EmptyState>
            ) : (
              <SessionTable rows={wanted} onOpen={(id) => change('id', id)} />
            )
          }
        </Loaded>
      </Panel>
      <ContinuityPanel />
      {row && <SessionDrawer key={row.session_id} row={row} onClose={() => change('id', null)} />}
      {isCreating && <NewSessionDialog onClose={() => setCreating(false)} />}
    </Page>
  );
}

const SEVERITY = { bad: 0, miss: 1, run: 2, next: 3, ok: 4, off: 5 };

interface SessionTableProps {
  rows: readonly SessionRow[];
  onOpen: (sessionId: string) => void;
}

function SessionTable({ rows, onOpen }: SessionTableProps): JSX.Element {
  const now = useNow();
  const columns = useMemo(
    () => ({
      session: (row: SessionRow) => row.name,
      heartbeat: ({ beat }: SessionRow) => (beat ? SEVERITY[beatLook(beat, now).tone] : null),
      last: ({ beat }: SessionRow) => beat?.last_run ?? null,
      next: ({ beat }: SessionRow) => beat?.next_run ?? null,
    }),
    [now],
  );
  const [shown, sorting] = useSorted(rows, columns);
  return (
    <table className={`${table.table ?? ''} ${table.cards ?? ''}`}>
      <thead>
        <tr>
          <SortHeader sorting={sorting} column="session" label="Session" />
          <SortHeader sorting={sorting} column="heartbeat" label="Heartbeat" />
          <th scope="col">Last report</th>
          <SortHeader sorting={sorting} column="last" label="Last" />
          <SortHeader sorting={sorting} column="next" label="Next" />
          <th scope="col">
            <span className="sr-only">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {shown.map((row) => (
          <Row key={row.session_id} row={row} onOpen={onOpen} />
        ))}
      </tbody>
    </table>
  );
}

export function BeatState({ beat }: { beat: Heartbeat | null }): JSX.Element {
  const now = useNow();
  if (beat === null) return <span className="muted">none</span>;
  return <WordBadge {...beatLook(beat, now)} />;
}

const ownerText = (session: Session | null) =>
  session && [session.user_id, session.status].filter(Boolean).join(', ');

function Row({ row, onOpen }: { row: SessionRow; onOpen: (id: string) => void }): JSX.Element {
  const { session_id, name, session, beat } = row;
  const wake = useWake();
  return (
    <tr>
      <td data-main="true">
        <button type="button" className={styles.name} onClick={() => onOpen(session_id)}>
          {name}
        </button>
        <span className={styles.second}>{ownerText(session)}</span>
      </td>
      <td>
        <BeatState beat={beat} />
        <span className={styles.second}>{beat && cadence(beat)}</span>
      </td>
      <td data-full="true">
        <span className={styles.said}>{beat ? beatText(beat) : ''}</span>
      </td>
      <td className={`${table.wide ?? ''} ${styles.tight ?? ''}`}>
        <Ago at={maybeInstant(beat?.last_run)} none="never" />
      </td>
      <td className={styles.tight}>
        <Ago at={maybeInstant(beat?.next_run)} />
      </td>
      <td className={table.right}>
        {beat && <Button onClick={() => wake.mutate({ session_id, mode: 'now' })}>Wake now</Button>}
      </td>
    </tr>
  );
}

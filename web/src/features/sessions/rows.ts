import type { Heartbeat, Session } from '../../api/contract';
import { beatName } from '../overview/freshness';

/** What is known of a session, from the list and from its heartbeat. */
export interface SessionRow {
  session_id: string;
  /** The folder it works in, which a person may have named. */
  name: string;
  session: Session | null;
  beat: Heartbeat | null;
}

const folderName = (session: Session) => session.workspace_dir.split('/').at(-1);

export function rowsOf(
  sessions: readonly Session[],
  beats: Readonly<Record<string, Heartbeat>>,
): SessionRow[] {
  const byId = new Map(sessions.map((each) => [each.session_id, each]));
  const ids = new Set([...byId.keys(), ...Object.keys(beats)]);
  const rows = [...ids].map((session_id): SessionRow => {
    const session = byId.get(session_id) ?? null;
    const beat = beats[session_id] ?? null;
    const name = beat ? beatName(beat) : ((session && folderName(session)) ?? session_id);
    return { session_id, name, session, beat };
  });
  return rows.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
}

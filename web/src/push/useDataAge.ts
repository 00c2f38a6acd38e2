import { useQueryClient } from '@tanstack/react-query';
import { useNow } from '../lib/now';
import { useConnection } from '../api/health';
import { usePush } from './context';

/** For how many seconds nothing has been heard or read; null before anything was. */
export function useDataAge(): number | null {
  const push = usePush();
  const queries = useQueryClient();
  const now = useNow('second');
  const answers = queries.getQueryCache().getAll();
  const latest = answers.reduce((most, each) => Math.max(most, each.state.dataUpdatedAt), 0);
  const connection = useConnection();
  if (connection.kind === 'lost') {
    return connection.since === null ? null : Math.max(0, (now - connection.since) / 1000);
  }
  const heard = push.phase === 'live' ? Math.max(push.heard_at ?? 0, latest) : latest;
  return heard === 0 ? null : Math.max(0, (now - heard) / 1000);
}

import { useEffect, useState } from 'react';
import { api, take } from '../../api/client';
import { append, EMPTY_LOG, type LogState } from './ring';

export type LogSource = { run_id: string } | { session_id: string } | { path: string };

export interface Followed {
  log: LogState;
  error: Error | null;
  isLoading: boolean;
}

const PACE_MS = 1_000;
const AFTER_ERROR_MS = 5_000;

const START: Followed = { log: EMPTY_LOG, error: null, isLoading: true };

/** Follows a log from its end. Only a visible page asks, and only while more may come. */
export function useLogTail(source: LogSource, mayGrow: boolean): Followed {
  const [state, setState] = useState(START);
  const [shown, setShown] = useState('');
  const key = JSON.stringify(source);
  if (shown !== key) {
    setShown(key);
    setState(START);
  }
  useEffect(() => {
    const quit = new AbortController();
    const asked = JSON.parse(key) as Partial<Record<'run_id' | 'session_id' | 'path', string>>;
    let cursor: number | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      try {
        const query = { ...asked, limit: 5_000, ...(cursor !== undefined && { cursor }) };
        const chunk = await take(
          api.GET('/api/v1/ops/logs/tail', { params: { query }, signal: quit.signal }),
        );
        cursor = chunk.cursor;
        setState(({ log }) => ({ log: append(log, chunk), error: null, isLoading: false }));
        if (mayGrow) again(PACE_MS);
      } catch (error) {
        if (quit.signal.aborted) return;
        const told = error instanceof Error ? error : new Error('Could not read the log.');
        setState(({ log }) => ({ log, error: told, isLoading: false }));
        if (mayGrow) again(AFTER_ERROR_MS);
      }
    };
    const again = (ms: number) => {
      clearTimeout(timer);
      if (!document.hidden) timer = setTimeout(() => void ask(), ms);
    };
    const onVisible = () => {
      if (mayGrow) again(0);
    };
    document.addEventListener('visibilitychange', onVisible);
    void ask();
    return () => {
      quit.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [key, mayGrow]);
  return state;
}

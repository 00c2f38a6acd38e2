// How answers are kept and when a request is tried again: one place for the whole page.
import { QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiError } from './errors';
import { keys } from './keys';

const TRIES = 2;
const FRESH_MS = 5_000;

/** Only what may pass by itself is tried again. */
function shouldRetry(failures: number, error: Error): boolean {
  if (!(error instanceof ApiError)) return false;
  const mayPass = error.status === 0 || error.status === 429 || error.status >= 500;
  return mayPass && error.status !== 503 && failures < TRIES;
}

/** `isLive` says whether the stream keeps the pushed answers current. */
export function createQueryClient(isLive: () => boolean, onSignedOut: () => void): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        if (error instanceof ApiError && error.isUnauthorized) onSignedOut();
      },
    }),
    defaultOptions: {
      queries: {
        retry: shouldRetry,
        retryDelay: (attempt) => Math.min(1_000 * 2 ** attempt, 10_000),
        staleTime: (query) =>
          query.queryKey[0] === keys.pushed[0] && isLive() ? Infinity : FRESH_MS,
        networkMode: 'always',
      },
      mutations: { retry: false, networkMode: 'always' },
    },
  });
}

// Whether the gateway answers, and whether it is healthy.
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { BASE } from '../lib/base';
import { usePushPhase } from '../push/context';
import type { components } from './schema.gen';
import { ApiError, errorFrom } from './errors';
import { keys } from './keys';

export type Health = components['schemas']['HealthDocument'];

const PACE_MS = 10_000;
const PACE_AFTER_FAILURE_MS = 3_000;
/** A gateway that is slower than this does not answer. */
const PATIENCE_MS = 8_000;

function isHealth(value: unknown): value is Health {
  return typeof value === 'object' && value !== null && 'status' in value && 'reasons' in value;
}

/** The health document; it comes with 503 when the gateway is not well. */
export async function readHealth(signal: AbortSignal): Promise<Health> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  let response: Response;
  try {
    const request = new Request(new URL(`${BASE}/api/v1/health`, globalThis.location.origin), {
      signal: AbortSignal.any([signal, patience]),
    });
    response = await globalThis.fetch(request);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError(0, 'The gateway does not answer.');
  }
  const document: unknown = await response.json().catch(() => null);
  if (isHealth(document)) return document;
  throw errorFrom(response.status, document, null);
}

export const useHealth = () =>
  useQuery({
    queryKey: keys.health,
    queryFn: ({ signal }) => readHealth(signal),
    refetchInterval: ({ state }) =>
      state.status === 'error' || state.data?.status === 'unhealthy'
        ? PACE_AFTER_FAILURE_MS
        : PACE_MS,
    refetchOnWindowFocus: 'always',
    staleTime: PACE_MS,
    retry: false,
  });

export type Connection =
  | { kind: 'ok' }
  /** It does not answer. `since` is when it last did. */
  | { kind: 'lost'; since: number | null }
  /** It answers, and reports that it is unhealthy. */
  | { kind: 'failing'; reasons: readonly string[] };

const OK: Connection = { kind: 'ok' };

/** Refetches when the stream breaks or opens: that may be the only sign of an outage. */
export function useHealthFollowingPush(): void {
  const { refetch } = useHealth();
  const phase = usePushPhase();
  useEffect(() => {
    if (phase === 'polling' || phase === 'live') void refetch();
  }, [phase, refetch]);
}

/** The state of the gateway, for every part that shows its data. */
export function useConnection(): Connection {
  const { data, error, dataUpdatedAt } = useHealth();
  if (error) {
    if (error instanceof ApiError && error.status !== 0) {
      return { kind: 'failing', reasons: [error.message] };
    }
    return { kind: 'lost', since: dataUpdatedAt === 0 ? null : dataUpdatedAt };
  }
  if (data?.status !== 'unhealthy') return OK;
  const { reasons, db_error } = data;
  return {
    kind: 'failing',
    reasons: reasons.length > 0 ? reasons : [db_error ?? 'no reason given'],
  };
}

// The page's one push client, and what components may know of it.
import { createContext, use, useSyncExternalStore } from 'react';
import type { PushClient, PushSnapshot } from './client';
import type { Phase } from './machine';

export const PushContext = createContext<PushClient | null>(null);

export function usePushClient(): PushClient {
  const client = use(PushContext);
  if (client === null) throw new Error('expected to be inside PushContext');
  return client;
}

export function usePush(): PushSnapshot {
  const client = usePushClient();
  return useSyncExternalStore(client.subscribe, client.getSnapshot);
}

/** Only the phase, so that a component is not rendered for every event. */
export function usePushPhase(): Phase {
  const client = usePushClient();
  return useSyncExternalStore(client.subscribe, () => client.getSnapshot().phase);
}

/** Whether answers must be asked for at intervals, because nobody tells when they change. */
export const mustPoll = (phase: Phase) =>
  phase === 'connecting' || phase === 'polling' || phase === 'off';

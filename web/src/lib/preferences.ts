// A person's choices in this browser, the same in all its tabs.
import { useSyncExternalStore } from 'react';
import { remember, remembered } from './storage';

export interface Preferences {
  /** The display zone; null: the gateway's. */
  zone: string | null;
  /** Whether this browser may open the push stream. */
  push: boolean;
  /** Whether single keys are shortcuts. */
  keys: boolean;
  /** Lanes that are wanted although the job runs seldom. */
  pinned: readonly string[];
}

const KEY = 'ua-preferences';
const DEFAULTS: Preferences = { zone: null, push: true, keys: true, pinned: [] };

function read(): Preferences {
  try {
    const value: unknown = JSON.parse(remembered(KEY) ?? '{}');
    return typeof value === 'object' && value !== null ? { ...DEFAULTS, ...value } : DEFAULTS;
  } catch {
    return DEFAULTS;
  }
}

let current = read();
const watchers = new Set<() => void>();

function changed(): void {
  for (const watcher of watchers) watcher();
}

globalThis.addEventListener('storage', (event) => {
  if (event.key !== KEY) return;
  current = read();
  changed();
});

export const preferences = () => current;

export function prefer(part: Partial<Preferences>): void {
  current = { ...current, ...part };
  remember(KEY, JSON.stringify(current));
  changed();
}

function subscribe(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

export const usePreferences = () => useSyncExternalStore(subscribe, preferences);

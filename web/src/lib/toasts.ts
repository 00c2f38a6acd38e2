// Short notices at the edge of the page, at most a few at once; some can be undone.
import { useSyncExternalStore } from 'react';

export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'good' | 'bad';
  action?: { label: string; run: () => void };
  link?: { label: string; to: string };
}

export const TOAST_MS = 8_000;
const MOST = 4;

let shown: readonly Toast[] = [];
let lastId = 0;
const watchers = new Set<() => void>();

function show(next: readonly Toast[]): void {
  shown = next;
  for (const watcher of watchers) watcher();
}

export function toast(text: string, options: Partial<Omit<Toast, 'id' | 'text'>> = {}): void {
  lastId += 1;
  show([...shown, { tone: 'plain' as const, ...options, id: lastId, text }].slice(-MOST));
}

export const dismissToast = (id: number) => show(shown.filter((each) => each.id !== id));

export const clearToasts = () => show([]);

function subscribe(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

export const useToasts = () => useSyncExternalStore(subscribe, () => shown);

// Which of the page-wide dialogs is open. They can be opened from anywhere.
import { useSyncExternalStore } from 'react';

export type Dialog =
  | { name: 'palette' }
  | { name: 'help' }
  | { name: 'more' }
  | { name: 'change'; event_id?: string; title?: string }
  | { name: 'job'; job_id?: string };

let open: Dialog | null = null;
const watchers = new Set<() => void>();

export function openDialog(dialog: Dialog | null): void {
  open = dialog;
  for (const watcher of watchers) watcher();
}

/** Closes the dialog, and where one is named, only that one: another may have taken its place. */
export function closeDialog(name?: Dialog['name']): void {
  if (name === undefined || open?.name === name) openDialog(null);
}

function subscribe(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

export const useDialog = () => useSyncExternalStore(subscribe, () => open);

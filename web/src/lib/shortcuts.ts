// Single keys and two-key sequences. Typing in a field, or with a dialog open, fires none.
import { useEffect } from 'react';
import { usePreferences } from './preferences';

export type Shortcuts = Readonly<Record<string, () => void>>;

const SEQUENCE_MS = 1_200;

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  if (target instanceof HTMLInputElement) {
    return !['checkbox', 'radio', 'button'].includes(target.type);
  }
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

const isDialogOpen = () => document.querySelector('[role="dialog"]') !== null;

/** The shortcuts that a key press completes, given the key before it; null: none. */
export function completed(shortcuts: Shortcuts, before: string | null, key: string): string | null {
  const sequence = before === null ? null : `${before} ${key}`;
  if (sequence !== null && sequence in shortcuts) return sequence;
  return key in shortcuts ? key : null;
}

/** Runs `shortcuts` while the component is there: `{ t: today, 'g o': goOverview }`. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const { keys } = usePreferences();
  useEffect(() => {
    if (!keys) return;
    let before: string | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTyping(event.target) || isDialogOpen()) return;
      const found = completed(shortcuts, before, event.key);
      clearTimeout(timer);
      before = found === null ? event.key : null;
      timer = setTimeout(() => {
        before = null;
      }, SEQUENCE_MS);
      if (found !== null) {
        event.preventDefault();
        shortcuts[found]?.();
      }
    };
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('keydown', onKey);
      clearTimeout(timer);
    };
  }, [shortcuts, keys]);
}

import { cleanup, configure } from '@testing-library/react';
import { afterEach, vi } from 'vitest';
import { closeDialog } from '../app/dialogs';
import { clearToasts } from '../lib/toasts';

// The test's document has no fonts to wait for.
Object.defineProperty(document, 'fonts', { value: new EventTarget() });

configure({
  // A page's code is loaded when it is first opened; a busy machine takes its time.
  asyncUtilTimeout: 10_000,
  getElementError: (message) => new Error(message ?? 'not found'),
});

afterEach(() => {
  cleanup();
  closeDialog();
  clearToasts();
  localStorage.clear();
  vi.useRealTimers();
});

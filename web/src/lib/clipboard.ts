// The clipboard: missing on http pages of other machines, and refused by the settings of a browser.
import { toast } from './toasts';

/** Copies a text, and says so; where the browser does not let the page copy, says that. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${what}`, { tone: 'good' });
  } catch {
    toast(`The browser does not let this page copy. Select ${what} instead.`, { tone: 'bad' });
  }
}

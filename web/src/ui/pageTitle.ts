// The tab's title and icon: what page this is, and whether anything waits for a person.

import { BASE } from '../lib/base';

const PRODUCT = 'Universal Agent';
let page = '';
let waiting = 0;

function show(): void {
  const prefix = waiting > 0 ? `(${waiting}) ` : '';
  document.title = `${prefix}${page === '' ? PRODUCT : `${page} · ${PRODUCT}`}`;
}

export function setPageTitle(title: string): void {
  page = title;
  show();
}

/** How many decisions wait, and whether the page is cut off from the gateway. */
export function setAttention(count: number, isCutOff: boolean): void {
  waiting = count;
  show();
  const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const name = isCutOff ? 'favicon-off' : count > 0 ? 'favicon-waiting' : 'favicon';
  // Files under /assets are kept for ever: one that changes gets another number.
  const href = `${BASE}/assets/${name}-1.svg`;
  if (icon && icon.getAttribute('href') !== href) icon.setAttribute('href', href);
}

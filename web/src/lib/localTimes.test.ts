import { describe, expect, it } from 'vitest';
import { localTimes } from './localTimes';

const NEAR = Date.parse('2026-11-30T15:00:00Z');

describe('the gateway’s times in the zone of the page', () => {
  it.each([
    ['It is down since 2026-11-30 14:17 UTC.', 'It is down since Mon 30 Nov 15:17 CET.'],
    ['down 04:08-08:08 UTC: 7 missed', 'down 05:08-09:08 CET: 7 missed'],
    ['Inbox triage, 23:24 UTC: unknown', 'Inbox triage, 00:24 CET: unknown'],
    ['down 21:30-23:30 UTC', 'down Sun 29 Nov 22:30-Mon 30 Nov 00:30 CET'],
    ['at 2026-11-30T14:17:05Z it ran', 'at Mon 30 Nov 15:17:05 CET it ran'],
    ['at 2026-11-30T14:17:05+00:00 it ran', 'at Mon 30 Nov 15:17:05 CET it ran'],
    ['the ratio is 3:05, UTC is a zone', 'the ratio is 3:05, UTC is a zone'],
    ['14:17 Europe/Berlin', '14:17 Europe/Berlin'],
  ])('%s', (told, shown) => {
    expect(localTimes(told, 'Europe/Berlin', NEAR)).toBe(shown);
  });

  it('stays as it is on a page in UTC', () => {
    expect(localTimes('down 04:08-08:08 UTC', 'UTC', NEAR)).toBe('down 04:08-08:08 UTC');
  });
});

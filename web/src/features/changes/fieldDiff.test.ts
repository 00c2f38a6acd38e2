import { describe, expect, it } from 'vitest';
import { changesBetween, scheduleIn } from './fieldDiff';

describe('a proposal', () => {
  it('shows only what differs', () => {
    const before = { cron_expr: '0 7 * * *', enabled: true, title: 'x' };
    const after = { cron_expr: '30 8 * * *', enabled: false, title: 'x' };
    expect(changesBetween(before, after)).toEqual([
      { name: 'cron_expr', before: '0 7 * * *', after: '30 8 * * *' },
      { name: 'enabled', before: 'yes', after: 'no' },
    ]);
  });

  it('has a schedule to preview when it names one', () => {
    expect(scheduleIn({ every_seconds: 600, timezone: 'UTC' })).toEqual({
      every: '600s',
      timezone: 'UTC',
    });
    expect(scheduleIn({ enabled: false })).toBeNull();
  });
});

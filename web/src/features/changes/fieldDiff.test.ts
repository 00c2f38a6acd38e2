import { expect, it } from 'vitest';
import { changesBetween } from './fieldDiff';

it('shows of a proposal only the fields that differ, and no slots', () => {
  const before = { schedule: 'at 07:00 every day', enabled: true, title: 'x', next: [] };
  const after = { schedule: 'at 08:30 every day', enabled: false, title: 'x', next: [{}] };
  expect(changesBetween(before, after)).toEqual([
    { name: 'schedule', before: 'at 07:00 every day', after: 'at 08:30 every day' },
    { name: 'enabled', before: 'yes', after: 'no' },
  ]);
});

import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { openPage } from '../test/page';
import { sorted } from './sorting';

describe('a sorted table', () => {
  it('orders numbers in words by their value, and what has no value last either way', () => {
    const rows = ['Job 10', null, 'Job 2'];
    const same = (row: string | null) => row;
    expect(sorted(rows, same, false)).toEqual(['Job 2', 'Job 10', null]);
    expect(sorted(rows, same, true)).toEqual(['Job 10', 'Job 2', null]);
  });
});

it('an address that names no column leaves the rows as they are', async () => {
  openPage('/jobs?sort=__proto__');
  await screen.findByRole('table');
  expect(screen.queryByText('This page had a problem')).toBeNull();
});

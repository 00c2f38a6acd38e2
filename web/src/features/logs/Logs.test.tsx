import { screen } from '@testing-library/react';
import { it } from 'vitest';
import { NOON, openPage } from '../../test/page';
import { run } from '../../test/factories';

it('lists a run of the last hour whose slot was due days ago', async () => {
  const { gateway } = openPage('/logs?hours=1');
  const now = NOON / 1000;
  gateway.runs.splice(
    0,
    gateway.runs.length,
    run({ run_id: 'r2', job_id: 'late', scheduled_at: now - 200_000, started_at: now - 60 }),
    run({ run_id: 'r1', job_id: 'old', scheduled_at: now - 200_000, started_at: now - 199_000 }),
  );
  await screen.findByRole('region', { name: 'Runs, newest first' });
});

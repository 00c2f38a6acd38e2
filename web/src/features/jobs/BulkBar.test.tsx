import { screen, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { FakeGateway } from '../../test/fakeGateway';
import { openPage } from '../../test/page';

async function selectAll() {
  const page = openPage('/jobs');
  await page.user.click(await screen.findByRole('checkbox', { name: 'Select all' }));
  const bar = within(screen.getByRole('region', { name: 'Selected' }));
  return { ...page, bar };
}

describe('a bulk action', () => {
  it('counts the jobs that it changed and leaves the others alone', async () => {
    const { user, gateway, bar } = await selectAll();
    const running = gateway.jobs.filter((job) => job.enabled).length;
    expect(running).toBeLessThan(gateway.jobs.length);
    await user.click(bar.getByRole('button', { name: 'Pause' }));
    await screen.findByText(`Paused ${running} jobs`);
    expect(gateway.requests.filter((each) => each.startsWith('PUT'))).toHaveLength(running);
    await user.click(bar.getByRole('button', { name: 'Pause' }));
    await screen.findByText('No job had to be changed');
  });

  it('shows three failures and counts the others', async () => {
    const { user, gateway, bar } = await selectAll();
    const running = gateway.jobs.filter((job) => job.enabled).length;
    const answer = gateway.handle.bind(gateway);
    vi.spyOn(FakeGateway.prototype, 'handle').mockImplementation((request) =>
      request.method === 'PUT'
        ? Promise.resolve(Response.json({ detail: 'The disk is full.' }, { status: 503 }))
        : answer(request),
    );
    await user.click(bar.getByRole('button', { name: 'Pause' }));
    await screen.findByText(`${running - 3} other jobs failed too`);
    expect(screen.getAllByText(/: The disk is full\./)).toHaveLength(3);
  });
});

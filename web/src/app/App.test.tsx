import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { FakeGateway } from '../test/fakeGateway';
import { openPage } from '../test/page';
import { PAGES } from './pages';

const heading = (name: string) => screen.findByRole('heading', { level: 1, name });
const asked = (gateway: FakeGateway, part: string) =>
  gateway.requests.filter((each) => each.includes(part));

describe('signing in', () => {
  it('asks for the token, says when it is wrong, and goes on when it is right', async () => {
    const { user, gateway } = openPage('/', { token: 'secret' });
    await heading('Sign in');
    await user.type(screen.getByLabelText('Operator token'), 'guess');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    await screen.findByText('That is not the token.');
    expect(asked(gateway, '/stream')).toHaveLength(0);
    await user.clear(screen.getByLabelText('Operator token'));
    await user.type(screen.getByLabelText('Operator token'), 'secret');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    await heading('Overview');
    expect(gateway.requests.filter((each) => each.includes('secret'))).toEqual([]);
  });
});

describe('a gateway that has nothing to do yet', () => {
  it('guides to the first job', async () => {
    openPage('/', { isEmpty: true });
    await screen.findByText('Create the first job');
  });
});

describe('every page', () => {
  it.each(PAGES.map((page) => [page.label, page.path]))('%s opens', async (label, path) => {
    openPage(path);
    await heading(label);
    expect(screen.queryByText('This page had a problem')).toBeNull();
  });

  it.each(PAGES.map((page) => [page.label, page.path]))(
    '%s says kindly that a part is switched off',
    async (label, path) => {
      const handle = vi.spyOn(FakeGateway.prototype, 'handle');
      handle.mockImplementation((request) =>
        Promise.resolve(
          request.url.endsWith('/config')
            ? Response.json({ auth_required: false, signed_in: true, user_timezone: 'UTC' })
            : Response.json({ detail: 'Cron service not available.' }, { status: 503 }),
        ),
      );
      openPage(path);
      await heading(label);
      await screen.findAllByText(/not available|no such/i);
      expect(screen.queryByText('This page had a problem')).toBeNull();
    },
  );
});

describe('stasis', () => {
  it('runs an approved slot once, however often one clicks', async () => {
    const { user, gateway } = openPage('/stasis');
    const [row] = await screen.findAllByRole('listitem', { name: /missed\. Keys/ });
    if (!row) throw new Error('expected a row');
    const name = row.getAttribute('aria-label') ?? '';
    const before = screen.getAllByRole('listitem', { name }).length;
    await user.dblClick(within(row).getByRole('button', { name: 'Approve & Run' }));
    await screen.findByText(/^Running /);
    await waitFor(() =>
      expect(screen.queryAllByRole('listitem', { name })).toHaveLength(before - 1),
    );
    expect(asked(gateway, '/action')).toHaveLength(1);
  });

  it('says kindly that somebody else was faster', async () => {
    const { user, gateway } = openPage('/stasis');
    const [row] = await screen.findAllByRole('listitem', { name: /missed\. Keys/ });
    if (!row) throw new Error('expected a row');
    gateway.stasis = [];
    await user.click(within(row).getByRole('button', { name: 'Delete' }));
    await screen.findByText(/^Already handled/);
    await screen.findByText('Nothing is waiting');
  });

  it('offers to undo a deletion', async () => {
    const { user, gateway } = openPage('/stasis');
    const [row] = await screen.findAllByRole('listitem', { name: /missed\. Keys/ });
    if (!row) throw new Error('expected a row');
    row.focus();
    await user.keyboard('x');
    await user.click(await screen.findByRole('button', { name: 'Undo' }));
    await waitFor(() => expect(asked(gateway, '/undo')).toHaveLength(1));
  });
});

describe('a requested change', () => {
  it('is shown first, and Confirm has not the focus', async () => {
    const { user, gateway } = openPage('/changes');
    await user.type(await screen.findByLabelText('What is to change'), 'at 8:30 on weekdays');
    await user.click(screen.getByRole('button', { name: 'Preview' }));
    const confirm = await screen.findByRole('button', { name: 'Confirm' });
    expect(document.activeElement).not.toBe(confirm);
    expect(document.activeElement?.textContent).toBe('Back');
    expect(asked(gateway, '/confirm')).toHaveLength(0);
    await user.click(confirm);
    await screen.findByText('Changed');
    expect(asked(gateway, '/confirm')).toHaveLength(1);
  });
});

describe('the calendar', () => {
  it('follows a run without asking for the feed again', async () => {
    const { gateway, push } = openPage('/calendar?view=day');
    await screen.findByRole('table', { name: 'Slots by day' });
    await waitFor(() => expect(push.getSnapshot().phase).toBe('live'));
    const slot = gateway
      .slotsNear(Date.parse('2026-11-19T17:00:00Z'))
      .find((each) => each.title === 'Daily report');
    if (!slot) throw new Error('expected the daily report');
    await screen.findByRole('button', { name: '17:00 Daily report, cron, scheduled' });
    const before = asked(gateway, '/calendar/events').length;
    gateway.change(slot.event_id, { status: 'running' }, 'cron_run_started');
    await screen.findByRole('button', { name: '17:00 Daily report, cron, running' });
    expect(asked(gateway, '/calendar/events')).toHaveLength(before);
  });

  it('asks at most a few times for a burst of events that carry no rows', async () => {
    const { gateway, push } = openPage('/calendar?view=day');
    await screen.findByRole('table', { name: 'Slots by day' });
    await waitFor(() => expect(push.getSnapshot().phase).toBe('live'));
    const before = asked(gateway, '/calendar/events').length;
    for (let i = 0; i < 500; i++) gateway.emit({ type: 'cron_run_started', source_ref: 'inbox' });
    await waitFor(() => expect(push.getSnapshot().last_seq).toBe(90_500));
    await waitFor(() => expect(asked(gateway, '/calendar/events').length).toBeGreaterThan(before));
    expect(asked(gateway, '/calendar/events').length - before).toBeLessThanOrEqual(3);
  });

  it('shows hostile text as text', async () => {
    const { gateway, container } = openPage('/calendar?view=day');
    await screen.findByRole('table', { name: 'Slots by day' });
    const slot = gateway
      .slotsNear(Date.parse('2026-11-19T17:00:00Z'))
      .find((each) => each.title === 'Daily report');
    if (!slot) throw new Error('expected a slot');
    gateway.change(slot.event_id, { title: '<img src=x onerror=alert(1)>' }, 'cron_run_started');
    await waitFor(() => expect(container.textContent).toContain('<img src=x'));
    expect(container.querySelector('img')).toBeNull();
  });
});

describe('a gateway that is failing', () => {
  it('is red with its reason, and slots that it could not record are not called lost', async () => {
    const handle = Object.getOwnPropertyDescriptor(FakeGateway.prototype, 'handle')?.value as (
      this: FakeGateway,
      request: Request,
    ) => Promise<Response>;
    vi.spyOn(FakeGateway.prototype, 'handle').mockImplementation(async function (
      this: FakeGateway,
      request,
    ) {
      const answer = await handle.call(this, request);
      if (request.url.endsWith('/health')) {
        const reasons = ['the database cannot take writes (disk full)'];
        const document: unknown = await answer.json();
        return Response.json(
          { ...(document as object), status: 'unhealthy', reasons },
          { status: 503 },
        );
      }
      if (!request.url.includes('/scheduling/ledger')) return answer;
      return Response.json({ ...((await answer.json()) as object), unaccounted_count: 19 });
    });
    openPage('/');
    expect(await screen.findByRole('alert')).toHaveProperty(
      'textContent',
      expect.stringContaining('the database cannot take writes (disk full)'),
    );
    await screen.findByText(/19 not recorded while the gateway is failing/);
    expect(screen.queryByText(/unaccounted for/)).toBeNull();
    expect(screen.queryByText(/every slot is accounted for/)).toBeNull();
  });
});

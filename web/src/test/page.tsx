// The whole dashboard in a test, over a fake gateway.
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { vi } from 'vitest';
import { createQueryClient } from '../api/queryClient';
import { App } from '../app/App';
import { theme } from '../app/theme';
import { PushClient } from '../push/client';
import { PushContext } from '../push/context';
import { Feeder } from '../push/feeder';
import { FakeGateway, type FakeOptions } from './fakeGateway';

export const NOON = Date.parse('2026-11-19T12:00:00Z');

const ALONE = {
  canAgree: true,
  campaign: (elected: () => void) => elected(),
  post: () => undefined,
  listen: () => undefined,
  resign: () => undefined,
};

export function openPage(path: string, options: Partial<FakeOptions> = {}) {
  vi.useFakeTimers({ toFake: ['Date'], now: NOON });
  const gateway = new FakeGateway({ now: () => NOON, ...options });
  vi.stubGlobal('fetch', (input: Request | string, init?: RequestInit) =>
    gateway.handle(
      typeof input === 'string' ? new Request(`http://localhost:3000${input}`, init) : input,
    ),
  );
  const push = new PushClient({
    tabs: ALONE,
    random: () => 1,
    probe: () => Promise.resolve({ seq: gateway.seq, stream_id: 'demo', projection_version: 1 }),
  });
  const queries = createQueryClient(
    () => push.getSnapshot().phase === 'live',
    () => push.send({ type: 'failed', status: 401, disabled: false, retry_after_seconds: null }),
  );
  push.listen(new Feeder(queries));
  const shown = render(
    <MantineProvider theme={theme} env="test">
      <QueryClientProvider client={queries}>
        <PushContext value={push}>
          <MemoryRouter initialEntries={[path]}>
            <App />
          </MemoryRouter>
        </PushContext>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { gateway, push, queries, user: userEvent.setup(), ...shown };
}

import { expect, it, vi } from 'vitest';
import { api, take } from './client';
import { ApiError } from './errors';

/** A gateway whose connection was dropped without a sign: requests end with their signal alone. */
function neverAnswering() {
  const timeout = new AbortController();
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(timeout.signal);
  const asked = new Promise<Request>((resolve) => {
    vi.stubGlobal('fetch', (request: Request) => {
      resolve(request);
      return new Promise((_, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason as Error));
      });
    });
  });
  return { timeout, asked };
}

it('a read that is never answered fails, so that it can be repeated', async () => {
  const { timeout, asked } = neverAnswering();
  const answer = take(api.GET('/api/v1/ops/flags'));
  const failure = answer.catch((error: unknown) => error);
  await asked;
  timeout.abort(new DOMException('signal timed out', 'TimeoutError'));
  expect(await failure).toEqual(new ApiError(0, 'The gateway does not answer.'));
});

it('a read that the page gave up is aborted, not failed', async () => {
  const { asked } = neverAnswering();
  const page = new AbortController();
  const failure = take(api.GET('/api/v1/ops/flags', { signal: page.signal })).catch(
    (error: unknown) => error,
  );
  await asked;
  page.abort();
  expect(await failure).toMatchObject({ name: 'AbortError' });
});

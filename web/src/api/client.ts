// One typed client for the gateway's HTTP API: same origin, cookie session, errors thrown.
import createClient, { type Middleware } from 'openapi-fetch';
import { BASE } from '../lib/base';
import { ApiError, errorFrom } from './errors';
import type { Paths } from './paths';

const JSON_TYPE = /^application\/([a-z]+\+)?json\b/;

const throwing: Middleware = {
  async onResponse({ response }) {
    if (response.ok || response.status === 304) return;
    const isJson = JSON_TYPE.test(response.headers.get('content-type') ?? '');
    const body: unknown = isJson ? await response.json().catch(() => null) : null;
    throw errorFrom(response.status, body, response.headers.get('retry-after'));
  },
  onError({ error }) {
    if (error instanceof DOMException && error.name === 'AbortError') return error;
    return new ApiError(0, 'The gateway does not answer.');
  },
};

/** A read that takes longer gets no answer: a connection may be dropped without a sign. */
const READ_TIMEOUT_MS = 30_000;

const withTimeout = (request: Request): Request =>
  new Request(request, {
    signal: AbortSignal.any([request.signal, AbortSignal.timeout(READ_TIMEOUT_MS)]),
  });

/** `fetch` is looked up at each call, so that a test can put its own in place. */
export const api = createClient<Paths>({
  baseUrl: globalThis.location.origin + BASE,
  credentials: 'same-origin',
  fetch: (request: Request) =>
    globalThis.fetch(request.method === 'GET' ? withTimeout(request) : request),
});
api.use(throwing);

/** The answer's body. Failures were thrown before; an answer without a body is one too. */
export async function take<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data, response } = await call;
  if (data === undefined) throw new ApiError(response.status, 'The gateway sent an empty answer.');
  return data;
}

/** A key that makes a repeated request the same request. */
export function idempotencyKey(): string {
  // Not crypto.randomUUID: that exists only on https and localhost.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

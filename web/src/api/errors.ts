// What can go wrong with a request, told in a sentence that a person can act on.

interface Problem {
  type?: string;
  title?: string;
  detail?: string;
  field?: string;
  suggested_end?: string;
}

const TOO_LARGE = 'urn:universal-agent:problem:window-too-large';

/** A request that failed. `status` is 0 when there was no answer at all. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    message: string,
    readonly field: string | null = null,
    readonly retry_after_seconds: number | null = null,
    readonly type: string | null = null,
    /** For a window that is too large: an end with which it is not. */
    readonly suggested_end: string | null = null,
  ) {
    super(message);
  }

  get isUnauthorized(): boolean {
    return this.status === 401;
  }

  /** The gateway answered, but this part of it is switched off or not there. */
  get isAbsent(): boolean {
    return this.status === 404 || this.status === 503;
  }

  /** There is more in the window than one answer holds. */
  get isTooLarge(): boolean {
    return this.type === TOO_LARGE;
  }

  /** Somebody else was faster. */
  get isConflict(): boolean {
    return this.status === 409;
  }
}

const SENTENCES: Record<number, string> = {
  0: 'The gateway does not answer.',
  401: 'Sign in to go on.',
  403: 'This is not allowed from here.',
  404: 'There is no such thing here.',
  409: 'It was changed since it was read.',
  413: 'That is too large.',
  429: 'Too many requests; wait a moment.',
  503: 'This part of the gateway is switched off or not ready.',
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function textIn(body: unknown, key: keyof Problem): string | undefined {
  const value = isRecord(body) ? body[key] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The error that an answer with a failing status stands for. */
export function errorFrom(status: number, body: unknown, retryAfter: string | null): ApiError {
  const sentence =
    textIn(body, 'detail') ??
    SENTENCES[status] ??
    textIn(body, 'title') ??
    (status >= 500 ? 'The gateway had a problem.' : 'The gateway refused this.');
  const seconds = retryAfter === null ? Number.NaN : Number(retryAfter);
  return new ApiError(
    status,
    sentence,
    textIn(body, 'field') ?? null,
    Number.isFinite(seconds) ? seconds : null,
    textIn(body, 'type') ?? null,
    textIn(body, 'suggested_end') ?? null,
  );
}

/** What to tell a person about anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return error instanceof Error ? error.message : 'Something went wrong.';
}

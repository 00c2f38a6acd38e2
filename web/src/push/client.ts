// Drives the push machine: opens streams, keeps time, shares one stream among the tabs.
import { idempotencyKey } from '../api/client';
import type { BusEvent, StreamPayload } from '../api/contract';
import { BASE } from '../lib/base';
import { type Tabs } from './leader';
import { INITIAL, type PushEffect, type PushInput, type PushState, step } from './machine';
import { parsePayload } from './payload';
import { readStream } from './sse';

const KEEP_ALIVE_SECONDS = 20;
/** Silence for this long is a dead connection, whatever the socket says. */
const SILENCE_MS = KEEP_ALIVE_SECONDS * 2.5 * 1_000;
/** The gateway sends a first frame immediately; a proxy that collects answers never passes it on. */
const FIRST_FRAME_MS = 10_000;
/** Without a leader among the tabs, a hidden one gives its stream up after this long. */
const HIDDEN_MS = 10_000;
/** Nobody reads figures faster than this. */
const ANNOUNCE_MS = 250;

export interface PushSnapshot extends PushState {
  /** When something was last heard, epoch milliseconds. */
  heard_at: number | null;
  /** When the next attempt is made, epoch milliseconds. */
  retry_at: number | null;
  projection_version: number | null;
  is_leader: boolean;
}

export interface PushListener {
  /** Events in order, to be applied to what is shown. */
  apply: (event: BusEvent) => void;
  /** Something was missed: whatever is shown may be old. */
  refetch: () => void;
}

export interface PushParts {
  tabs: Tabs;
  /** Where the log stands: its last seq and its identity. */
  probe: () => Promise<{ seq: number; stream_id: string; projection_version: number | null }>;
  random: () => number;
}

type TabMessage =
  | { type: 'join' }
  | { type: 'state'; snapshot: PushSnapshot }
  | { type: 'apply'; event: BusEvent }
  | { type: 'refetch' };

function isTabMessage(value: unknown): value is TabMessage {
  return typeof value === 'object' && value !== null && 'type' in value;
}

export class PushClient {
  private snapshot: PushSnapshot = {
    ...INITIAL,
    heard_at: null,
    retry_at: null,
    projection_version: null,
    is_leader: false,
  };
  private readonly watchers = new Set<() => void>();
  private readonly listeners = new Set<PushListener>();
  private stream: AbortController | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setTimeout> | undefined;
  private hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  private announceTimer: ReturnType<typeof setTimeout> | undefined;
  private started = false;
  /** The gateway ends this client's stream when the next one begins. */
  private readonly clientId = idempotencyKey();

  constructor(private readonly parts: PushParts) {}

  /** Begins, at the first call. */
  start(): void {
    if (this.started) return;
    this.started = true;
    const { tabs } = this.parts;
    tabs.listen((message) => {
      if (isTabMessage(message)) this.hear(message);
    });
    tabs.post({ type: 'join' } satisfies TabMessage);
    tabs.campaign(() => {
      this.change({ is_leader: true });
      const { phase } = this.snapshot;
      if (phase !== 'off' && phase !== 'signed_out') this.send({ type: 'resume' });
    });
    if (!tabs.canAgree) document.addEventListener('visibilitychange', this.onVisibility);
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.onVisibility);
    this.close();
    clearTimeout(this.hiddenTimer);
    this.announce();
    this.parts.tabs.resign();
  }

  readonly getSnapshot = (): PushSnapshot => this.snapshot;

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  listen(listener: PushListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  send(input: PushInput): void {
    const [next, effects] = step(this.snapshot, input, this.parts.random);
    this.change({ ...next, retry_at: next === this.snapshot ? this.snapshot.retry_at : null });
    for (const effect of effects) this.perform(effect, null);
  }

  private change(part: Partial<PushSnapshot>): void {
    const entries = Object.entries(part) as [keyof PushSnapshot, unknown][];
    if (entries.every(([key, value]) => this.snapshot[key] === value)) return;
    const before = this.snapshot;
    this.snapshot = { ...before, ...part };
    const isNews =
      before.phase !== this.snapshot.phase || before.retry_at !== this.snapshot.retry_at;
    if (isNews) this.announce();
    else this.announceTimer ??= setTimeout(() => this.announce(), ANNOUNCE_MS);
  }

  /** Tells watchers and other tabs how things are; figures that merely rise can wait a little. */
  private announce(): void {
    clearTimeout(this.announceTimer);
    this.announceTimer = undefined;
    if (this.snapshot.is_leader) this.tell({ type: 'state', snapshot: this.snapshot });
    for (const watcher of this.watchers) watcher();
  }

  private tell(message: TabMessage): void {
    this.parts.tabs.post(message);
  }

  private perform(effect: PushEffect, payload: StreamPayload | null): void {
    switch (effect.type) {
      case 'probe':
        if (this.snapshot.is_leader) void this.probe();
        break;
      case 'open':
        if (this.snapshot.is_leader) this.open(effect.since_seq, effect.stream_id);
        break;
      case 'close':
        this.close();
        break;
      case 'wait':
        this.wait(effect.ms);
        break;
      case 'apply':
        if (payload?.kind === 'event') this.apply(payload.event);
        break;
      case 'refetch':
        this.refetch();
        break;
    }
  }

  private apply(event: BusEvent): void {
    for (const listener of this.listeners) listener.apply(event);
    if (this.snapshot.is_leader) this.tell({ type: 'apply', event });
  }

  private refetch(): void {
    for (const listener of this.listeners) listener.refetch();
    if (this.snapshot.is_leader) this.tell({ type: 'refetch' });
  }

  private hear(message: TabMessage): void {
    if (message.type === 'join') {
      if (this.snapshot.is_leader) this.tell({ type: 'state', snapshot: this.snapshot });
      return;
    }
    if (this.snapshot.is_leader) return;
    if (message.type === 'state') this.change({ ...message.snapshot, is_leader: false });
    else if (message.type === 'apply') this.apply(message.event);
    else this.refetch();
  }

  private async probe(): Promise<void> {
    try {
      const { seq, stream_id, projection_version } = await this.parts.probe();
      this.change({ heard_at: Date.now(), projection_version });
      this.send({ type: 'probed', seq, stream_id });
    } catch (error) {
      const status =
        typeof error === 'object' && error !== null && 'status' in error ? error.status : 0;
      this.send({
        type: 'failed',
        status: typeof status === 'number' ? status : 0,
        disabled: false,
        retry_after_seconds: null,
      });
    }
  }

  private open(since: number, streamId: string | null): void {
    this.close();
    const stream = new AbortController();
    this.stream = stream;
    const query = new URLSearchParams({
      since_seq: String(since),
      heartbeat_seconds: String(KEEP_ALIVE_SECONDS),
      client_id: this.clientId,
    });
    if (streamId !== null) query.set('stream_id', streamId);
    this.listenForSilence(FIRST_FRAME_MS);
    void readStream(`${BASE}/api/v1/ops/scheduling/stream?${query.toString()}`, stream.signal, {
      opened: () => this.send({ type: 'opened' }),
      alive: () => this.listenForSilence(),
      frame: (frame) => this.onFrame(frame.data),
      refused: (response) => void this.onRefused(response, stream.signal),
      dropped: () => this.send({ type: 'dropped' }),
    });
  }

  private onFrame(data: string): void {
    const payload = parsePayload(data);
    if (payload === null) return;
    const before = this.snapshot;
    const [next, effects] = step(before, inputOf(payload), this.parts.random);
    this.change({
      ...next,
      heard_at: Date.now(),
      retry_at: null,
      projection_version: payload.projection_version ?? before.projection_version,
    });
    for (const effect of effects) this.perform(effect, payload);
  }

  private async onRefused(response: Response, signal: AbortSignal): Promise<void> {
    const text = await response.text().catch(() => '');
    if (signal.aborted) return;
    const after = Number(response.headers.get('retry-after') ?? Number.NaN);
    this.send({
      type: 'failed',
      status: response.status,
      disabled: response.status === 503 && /stream disabled/i.test(text),
      retry_after_seconds: Number.isFinite(after) ? after : null,
    });
  }

  private listenForSilence(ms = SILENCE_MS): void {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.send({ type: 'dropped' }), ms);
  }

  private wait(ms: number): void {
    clearTimeout(this.retryTimer);
    this.change({ retry_at: Date.now() + ms });
    this.retryTimer = setTimeout(() => {
      this.change({ retry_at: null });
      this.send({ type: 'retry' });
    }, ms);
  }

  private close(): void {
    clearTimeout(this.retryTimer);
    clearTimeout(this.silenceTimer);
    this.stream?.abort();
    this.stream = null;
  }

  private readonly onVisibility = (): void => {
    clearTimeout(this.hiddenTimer);
    if (document.hidden) {
      this.hiddenTimer = setTimeout(() => this.send({ type: 'suspend' }), HIDDEN_MS);
    } else if (this.stream === null) {
      this.send({ type: 'resume' });
    }
  };
}

function inputOf(payload: StreamPayload): PushInput {
  switch (payload.kind) {
    case 'event':
      return { type: 'event', seq: payload.event.seq };
    case 'heartbeat':
      return { type: 'beat', seq: payload.seq, stream_id: payload.stream_id };
    case 'reset':
      return { type: 'reset', seq: payload.seq, stream_id: payload.stream_id ?? null };
  }
}

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BusEvent } from '../api/contract';
import { FakeGateway } from '../test/fakeGateway';
import { PushClient, type PushListener } from './client';
import { mustPoll } from './context';
import type { Tabs } from './leader';

/** Tabs of one browser, by hand: the first to campaign leads until it resigns. */
class Browser {
  private readonly heard: { tab: number; hear: (message: unknown) => void }[] = [];
  private waiting: { tab: number; elected: () => void }[] = [];
  private leader: number | null = null;
  private count = 0;

  tab(): Tabs {
    const tab = this.count++;
    return {
      canAgree: true,
      campaign: (elected) => {
        this.waiting.push({ tab, elected });
        this.elect();
      },
      post: (message) => {
        for (const each of this.heard) if (each.tab !== tab) each.hear(message);
      },
      listen: (hear) => this.heard.push({ tab, hear }),
      resign: () => {
        if (this.leader !== tab) return;
        this.leader = null;
        this.elect();
      },
    };
  }

  private elect(): void {
    if (this.leader !== null) return;
    const next = this.waiting.shift();
    if (!next) return;
    this.leader = next.tab;
    next.elected();
  }
}

class Listener implements PushListener {
  readonly events: BusEvent[] = [];
  refetches = 0;
  apply(event: BusEvent): void {
    this.events.push(event);
  }
  refetch(): void {
    this.refetches++;
  }
}

const clients: PushClient[] = [];
let gateway: FakeGateway;

function client(browser = new Browser()): { push: PushClient; heard: Listener } {
  const push = new PushClient({
    tabs: browser.tab(),
    random: () => 1,
    probe: () => Promise.resolve({ seq: gateway.seq, stream_id: 'demo', projection_version: 1 }),
  });
  const heard = new Listener();
  push.listen(heard);
  clients.push(push);
  return { push, heard };
}

const streams = () => gateway.requests.filter((each) => each.includes('/stream'));
const phase = (push: PushClient) => push.getSnapshot().phase;
const isLive = (push: PushClient) => vi.waitFor(() => expect(phase(push)).toBe('live'));

beforeEach(() => {
  gateway = new FakeGateway({ now: () => Date.parse('2026-11-19T12:00:00Z'), isEmpty: true });
  vi.stubGlobal('fetch', (url: string, init?: RequestInit) =>
    gateway.handle(new Request(`http://gateway${url}`, init)),
  );
});

afterEach(() => {
  for (const push of clients.splice(0)) push.stop();
  vi.useRealTimers();
});

describe('the push client', () => {
  it('opens the stream from where the log stands, and hands on what comes', async () => {
    const { push, heard } = client();
    push.start();
    await isLive(push);
    expect(streams()[0]).toContain('since_seq=90000');
    gateway.emit({ type: 'cron_run_started' });
    await vi.waitFor(() => expect(heard.events).toHaveLength(1));
    expect(push.getSnapshot().last_seq).toBe(90_001);
  });

  it('resumes after the last event when the stream breaks', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const { push } = client();
    push.start();
    await isLive(push);
    gateway.emit({ type: 'cron_run_started' });
    await vi.waitFor(() => expect(push.getSnapshot().last_seq).toBe(90_001));
    gateway.dropStreams();
    await vi.waitFor(() => expect(phase(push)).toBe('polling'));
    await vi.advanceTimersByTimeAsync(1_000);
    await isLive(push);
    expect(streams()[1]).toContain('since_seq=90001');
    expect(streams()[1]).toContain('stream_id=demo');
  });

  it('takes silence for a break', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const { push } = client();
    push.start();
    await isLive(push);
    await vi.advanceTimersByTimeAsync(50_000);
    expect(phase(push)).not.toBe('live');
  });

  it('takes a stream whose first frame never comes for a break, and has one stream at a time', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const collecting = new Promise<Response>(() => undefined);
    vi.stubGlobal('fetch', (url: string) => {
      gateway.requests.push(url);
      return collecting;
    });
    const { push } = client();
    push.start();
    await vi.waitFor(() => expect(streams()).toHaveLength(1));
    expect(phase(push)).toBe('connecting');
    expect(mustPoll(phase(push))).toBe(true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(phase(push)).toBe('polling');
    await vi.advanceTimersByTimeAsync(1_000);
    const names = streams().map((each) => /client_id=(\w+)/.exec(each)?.[1]);
    expect(names).toHaveLength(2);
    expect(names[0]).toMatch(/^\w{32}$/);
    expect(names[1]).toBe(names[0]);
  });

  it('says that push is off when the gateway says so, and comes back', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    gateway.isPushOn = false;
    const { push } = client();
    push.start();
    await vi.waitFor(() => expect(phase(push)).toBe('off'));
    gateway.isPushOn = true;
    await vi.advanceTimersByTimeAsync(60_000);
    await isLive(push);
  });

  it('closes the stream at once when the switch is turned at run time', async () => {
    const { push, heard } = client();
    push.start();
    await isLive(push);
    push.send({ type: 'config', server: false, local: true });
    gateway.emit({ type: 'cron_run_started' });
    expect(phase(push)).toBe('off');
    push.send({ type: 'config', server: true, local: true });
    await isLive(push);
    expect(heard.events).toHaveLength(0);
    expect(streams()[1]).toContain('since_seq=90000');
  });

  it('stops at a 401 and makes no further request', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    gateway.signedIn = false;
    const { push } = client();
    push.start();
    await vi.waitFor(() => expect(phase(push)).toBe('signed_out'));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(streams()).toHaveLength(1);
  });

  it('reads one stream for all tabs, and another tab takes over', async () => {
    const browser = new Browser();
    const first = client(browser);
    const second = client(browser);
    first.push.start();
    second.push.start();
    await isLive(first.push);
    await isLive(second.push);
    expect(streams()).toHaveLength(1);
    gateway.emit({ type: 'cron_run_started' });
    await vi.waitFor(() => expect(second.heard.events).toHaveLength(1));
    first.push.stop();
    await vi.waitFor(() => expect(streams()).toHaveLength(2));
    expect(streams()[1]).toContain('since_seq=90001');
    gateway.emit({ type: 'cron_run_completed' });
    await vi.waitFor(() => expect(second.heard.events).toHaveLength(2));
  });
});

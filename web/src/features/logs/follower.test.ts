import { describe, expect, it, vi } from 'vitest';
import { type Followed, LogFollower, type Piece, type Place, wholeLog } from './follower';

/** A log file as the gateway serves it, four lines to an answer. */
class FakeLog {
  lines: string[] = [];
  file_id = 'first';
  readonly asked: (Place | null)[] = [];
  private held: (() => void)[] | null = null;

  readonly read = async (place: Place | null): Promise<Piece> => {
    this.asked.push(place);
    const reset = place !== null && place.file_id !== '' && place.file_id !== this.file_id;
    const from = place === null || reset ? 0 : place.cursor;
    const lines = this.lines.slice(from, from + 4);
    const piece = {
      cursor: from + lines.length,
      size: this.lines.length,
      file_id: this.file_id,
      lines,
      truncated: false,
      reset,
    };
    if (this.held) await new Promise<void>((go) => this.held?.push(go));
    return piece;
  };

  hold(): void {
    this.held = [];
  }

  release(): void {
    const waiting = this.held ?? [];
    this.held = null;
    for (const go of waiting) go();
  }
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index}`);

function follow(log: FakeLog) {
  let state: Followed | null = null;
  const follower = new LogFollower(log.read, (next) => {
    state = next;
  });
  return { follower, texts: () => state?.log.lines.map((line) => line.text) ?? [] };
}

describe('a followed log', () => {
  it('shows each line once when its run ends', async () => {
    const log = new FakeLog();
    log.lines = numbered(10);
    const { follower, texts } = follow(log);
    follower.setGrowing(true);
    await vi.waitFor(() => expect(texts()).toEqual(numbered(10)));
    log.lines = numbered(11);
    follower.setGrowing(false);
    await vi.waitFor(() => expect(texts()).toEqual(numbered(11)));
    follower.stop();
  });

  it('shows each line once when it is asked for again during a request', async () => {
    const log = new FakeLog();
    log.lines = numbered(3);
    log.hold();
    const { follower, texts } = follow(log);
    const first = follower.ask();
    await follower.ask();
    expect(log.asked).toHaveLength(1);
    log.release();
    await first;
    expect(texts()).toEqual(numbered(3));
    expect(log.asked.at(-1)).toEqual({ cursor: 3, file_id: 'first' });
    follower.stop();
  });

  it('begins again with a file that took the place of the one before', async () => {
    const log = new FakeLog();
    log.lines = numbered(3);
    const { follower, texts } = follow(log);
    await follower.ask();
    log.lines = ['a', 'b', 'c', 'd', 'e'];
    log.file_id = 'second';
    await follower.ask();
    expect(texts()).toEqual(['a', 'b', 'c', 'd', 'e']);
    follower.stop();
  });

  it('continues where it was after an answer that failed', async () => {
    const log = new FakeLog();
    log.lines = numbered(3);
    let fails = false;
    let state: Followed | null = null;
    const follower = new LogFollower(
      (place) => (fails ? Promise.reject(new Error('no answer')) : log.read(place)),
      (next) => {
        state = next;
      },
    );
    await follower.ask();
    fails = true;
    await follower.ask();
    expect(state).toMatchObject({ error: { message: 'no answer' } });
    fails = false;
    log.lines = numbered(5);
    await follower.ask();
    expect(state).toMatchObject({ error: null, log: { next: 6 } });
    follower.stop();
  });
});

describe('a downloaded log', () => {
  it('is all of it, however many answers that takes', async () => {
    const log = new FakeLog();
    log.lines = numbered(11);
    const text = await wholeLog(log.read, new AbortController().signal);
    expect(text).toBe(`${numbered(11).join('\n')}\n`);
  });
});

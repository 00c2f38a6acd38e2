import { describe, expect, it } from 'vitest';
import { backoff, INITIAL, type PushInput, type PushState, step } from './machine';

const most = () => 1;

function after(inputs: PushInput[], from: PushState = INITIAL) {
  let state = from;
  let effects: ReturnType<typeof step>[1] = [];
  for (const input of inputs) [state, effects] = step(state, input, most);
  return { state, effects };
}

const failed = (status: number, disabled = false): PushInput => ({
  type: 'failed',
  status,
  disabled,
  retry_after_seconds: null,
});
const live = after([{ type: 'probed', seq: 5, stream_id: 'a' }, { type: 'opened' }]).state;

describe('the push machine', () => {
  it('asks where the log stands before it opens the stream from there', () => {
    expect(after([{ type: 'retry' }]).effects).toEqual([{ type: 'probe' }]);
    const probed = after([{ type: 'probed', seq: 5, stream_id: 'a' }]);
    expect(probed.effects).toEqual([
      { type: 'refetch' },
      { type: 'open', since_seq: 5, stream_id: 'a' },
    ]);
  });

  it('is live once the stream is open', () => {
    expect(live.phase).toBe('live');
  });

  it('applies the next event and drops one it has had', () => {
    expect(after([{ type: 'event', seq: 6 }], live).effects).toEqual([{ type: 'apply' }]);
    const again = after([{ type: 'event', seq: 5 }], live);
    expect(again.effects).toEqual([]);
    expect(again.state).toBe(live);
  });

  it('refetches and goes on from there when a seq was left out', () => {
    const { state, effects } = after([{ type: 'event', seq: 9 }], live);
    expect(effects).toEqual([{ type: 'refetch' }]);
    expect(state.last_seq).toBe(9);
  });

  it('polls when the stream drops, and waits 1, 2, 4 … 30 s', () => {
    const waits: number[] = [];
    let state = live;
    for (let i = 0; i < 7; i++) {
      const [next, effects] = step(state, { type: 'dropped' }, most);
      state = next;
      for (const effect of effects) if (effect.type === 'wait') waits.push(effect.ms);
    }
    expect(state.phase).toBe('polling');
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  });

  it('jitters the wait between half and the whole', () => {
    expect(backoff(3, () => 0)).toBe(4000);
    expect(backoff(3, () => 1)).toBe(8000);
  });

  it('resumes after the last event it has applied', () => {
    const { effects } = after(
      [{ type: 'event', seq: 6 }, { type: 'dropped' }, { type: 'retry' }],
      live,
    );
    expect(effects).toEqual([{ type: 'open', since_seq: 6, stream_id: 'a' }]);
  });

  it('starts its waits anew only after a frame, not after a mere opening', () => {
    const opened = after([{ type: 'dropped' }, { type: 'dropped' }, { type: 'opened' }], live);
    expect(opened.state.attempt).toBe(2);
    const framed = after([{ type: 'event', seq: 6 }], opened.state);
    expect(framed.state.attempt).toBe(0);
  });

  it('refetches all when the gateway has another log than before', () => {
    const { state, effects } = after([{ type: 'beat', seq: 2, stream_id: 'b' }], live);
    expect(effects).toEqual([{ type: 'refetch' }]);
    expect(state).toMatchObject({ last_seq: 2, stream_id: 'b', phase: 'live' });
  });

  it('refetches when a keep-alive is ahead of it', () => {
    expect(after([{ type: 'beat', seq: 8, stream_id: 'a' }], live).effects).toEqual([
      { type: 'refetch' },
    ]);
    expect(after([{ type: 'beat', seq: 5, stream_id: 'a' }], live).effects).toEqual([]);
  });

  it('adopts the seq of a reset', () => {
    const { state, effects } = after([{ type: 'reset', seq: 90, stream_id: null }], live);
    expect(effects).toEqual([{ type: 'refetch' }]);
    expect(state).toMatchObject({ last_seq: 90, stream_id: 'a' });
  });

  it('goes off at run time, keeps its place, and comes back from it', () => {
    const off = after([{ type: 'config', server: false, local: true }], live);
    expect(off.state).toMatchObject({ phase: 'off', off_reason: 'server' });
    expect(off.effects).toEqual([{ type: 'close' }]);
    const late = after([{ type: 'dropped' }, { type: 'event', seq: 6 }], off.state);
    expect(late.state.phase).toBe('off');
    const on = after([{ type: 'config', server: true, local: true }], late.state);
    expect(on.effects).toContainEqual({ type: 'open', since_seq: 5, stream_id: 'a' });
  });

  it('names the local switch as the reason when that is what is off', () => {
    const off = after([{ type: 'config', server: true, local: false }], live);
    expect(off.state.off_reason).toBe('local');
  });

  it('takes a missing or switched-off stream for off, and looks again in a minute', () => {
    for (const input of [failed(404), failed(503, true)]) {
      const { state, effects } = after([input], live);
      expect(state).toMatchObject({ phase: 'off', off_reason: 'absent' });
      expect(effects).toContainEqual({ type: 'wait', ms: 60_000 });
      const again = after([{ type: 'config', server: true, local: true }], state);
      expect(again.effects).toEqual([]);
      expect(after([{ type: 'retry' }, { type: 'opened' }], state).state.phase).toBe('live');
    }
  });

  it('takes another 503 for a gateway that is starting', () => {
    expect(after([failed(503)], live).state.phase).toBe('polling');
  });

  it('stops at 401 until somebody signs in', () => {
    const out = after([failed(401)], live);
    expect(out.state.phase).toBe('signed_out');
    const quiet = after([{ type: 'dropped' }, { type: 'retry' }], out.state);
    expect(quiet.effects).toEqual([]);
    expect(quiet.state.phase).toBe('signed_out');
    const back = after([{ type: 'signed_in' }], quiet.state);
    expect(back.effects).toContainEqual({ type: 'open', since_seq: 5, stream_id: 'a' });
  });

  it('waits as long as a 429 asks', () => {
    const busy: PushInput = {
      type: 'failed',
      status: 429,
      disabled: false,
      retry_after_seconds: 7,
    };
    expect(after([busy], live).effects).toContainEqual({ type: 'wait', ms: 7_000 });
    expect(after([failed(429)], live).effects).toContainEqual({ type: 'wait', ms: 30_000 });
  });

  it('lets go of the stream while suspended and resumes where it was', () => {
    const hidden = after([{ type: 'suspend' }], live);
    expect(hidden.effects).toEqual([{ type: 'close' }]);
    const shown = after([{ type: 'resume' }], hidden.state);
    expect(shown.effects).toContainEqual({ type: 'open', since_seq: 5, stream_id: 'a' });
  });
});

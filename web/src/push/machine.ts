// How the page stays current: a pure state machine. Time, network and tabs are the caller's.
//
//   connecting --opened--> live --dropped/failed--> polling --retry, opened--> live
//   any --config says no, or the stream is not there--> off --config says yes--> connecting
//   any --401/403--> signed_out --signed_in--> connecting

export type Phase = 'connecting' | 'live' | 'polling' | 'off' | 'signed_out';

export interface PushState {
  phase: Phase;
  /** Attempts since the last frame. */
  attempt: number;
  /** The last event that was applied; null before the position of the log is known. */
  last_seq: number | null;
  stream_id: string | null;
  /** Why it is off. */
  off_reason: 'server' | 'local' | 'absent' | null;
}

export type PushInput =
  | { type: 'config'; server: boolean; local: boolean }
  | { type: 'probed'; seq: number; stream_id: string }
  | { type: 'opened' }
  | { type: 'event'; seq: number }
  | { type: 'beat'; seq: number; stream_id: string | null }
  | { type: 'reset'; seq: number; stream_id: string | null }
  | { type: 'failed'; status: number; disabled: boolean; retry_after_seconds: number | null }
  | { type: 'dropped' }
  | { type: 'retry' }
  | { type: 'signed_in' }
  | { type: 'suspend' }
  | { type: 'resume' };

export type PushEffect =
  | { type: 'probe' }
  | { type: 'open'; since_seq: number; stream_id: string | null }
  | { type: 'close' }
  | { type: 'wait'; ms: number }
  | { type: 'apply' }
  | { type: 'refetch' };

export const INITIAL: PushState = {
  phase: 'connecting',
  attempt: 0,
  last_seq: null,
  stream_id: null,
  off_reason: null,
};

const RETRY_FIRST_MS = 1_000;
const RETRY_MOST_MS = 30_000;
const PROBE_AGAIN_MS = 60_000;

/** The wait before attempt `n` (0-based): doubling, at most 30 s, half to the whole of it. */
export function backoff(n: number, random: () => number): number {
  const most = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** Math.min(n, 10));
  return Math.round(most * (0.5 + random() * 0.5));
}

type Step = [PushState, PushEffect[]];

function connect(state: PushState): PushEffect {
  return state.last_seq === null
    ? { type: 'probe' }
    : { type: 'open', since_seq: state.last_seq, stream_id: state.stream_id };
}

function retryLater(state: PushState, ms: number): Step {
  return [
    { ...state, phase: 'polling', attempt: state.attempt + 1, off_reason: null },
    [{ type: 'close' }, { type: 'wait', ms }],
  ];
}

function restart(state: PushState): Step {
  const next: PushState = { ...state, phase: 'connecting', attempt: 0, off_reason: null };
  return [next, [{ type: 'close' }, connect(next)]];
}

function adopt(state: PushState, seq: number, streamId: string | null): Step {
  return [
    {
      ...state,
      phase: 'live',
      attempt: 0,
      last_seq: seq,
      stream_id: streamId ?? state.stream_id,
      off_reason: null,
    },
    [{ type: 'refetch' }],
  ];
}

function onConfig(state: PushState, server: boolean, local: boolean): Step {
  if (server && local) {
    // When the stream was not there although it is allowed, only the probe's timer tries again.
    const wasTold = state.phase === 'off' && state.off_reason !== 'absent';
    return wasTold ? restart(state) : [state, []];
  }
  const off_reason = local ? 'server' : 'local';
  if (state.phase === 'signed_out') return [state, []];
  if (state.phase === 'off' && state.off_reason === off_reason) return [state, []];
  return [{ ...state, phase: 'off', attempt: 0, off_reason }, [{ type: 'close' }]];
}

function onFailed(
  state: PushState,
  input: Extract<PushInput, { type: 'failed' }>,
  random: () => number,
): Step {
  const { status } = input;
  if (status === 401 || status === 403) {
    return [{ ...state, phase: 'signed_out', attempt: 0, off_reason: null }, [{ type: 'close' }]];
  }
  if (status === 404 || input.disabled) {
    return [
      { ...state, phase: 'off', attempt: 0, off_reason: 'absent' },
      [{ type: 'close' }, { type: 'wait', ms: PROBE_AGAIN_MS }],
    ];
  }
  if (status === 429) return retryLater(state, (input.retry_after_seconds ?? 30) * 1_000);
  return retryLater(state, backoff(state.attempt, random));
}

/** The next state and what is to be done now. Inputs that come too late change nothing. */
export function step(state: PushState, input: PushInput, random: () => number): Step {
  const { phase } = state;
  const stopped = phase === 'signed_out' || (phase === 'off' && state.off_reason !== 'absent');
  switch (input.type) {
    case 'config':
      return onConfig(state, input.server, input.local);
    case 'signed_in':
      return phase === 'signed_out' ? restart(state) : [state, []];
    case 'suspend':
      return stopped ? [state, []] : [{ ...state, phase: 'connecting' }, [{ type: 'close' }]];
    case 'resume':
      return stopped ? [state, []] : restart(state);
    default:
      return stopped ? [state, []] : onStream(state, input, random);
  }
}

type StreamInput = Exclude<PushInput, { type: 'config' | 'signed_in' | 'suspend' | 'resume' }>;

function onStream(state: PushState, input: StreamInput, random: () => number): Step {
  switch (input.type) {
    case 'probed': {
      const next = { ...state, last_seq: input.seq, stream_id: input.stream_id };
      return [next, [{ type: 'refetch' }, connect(next)]];
    }
    case 'opened':
      return [{ ...state, phase: 'live', off_reason: null }, []];
    case 'event':
      return onEvent(state, input.seq);
    case 'beat': {
      const moved =
        state.stream_id !== null && input.stream_id !== null && input.stream_id !== state.stream_id;
      if (moved || input.seq > (state.last_seq ?? input.seq)) {
        return adopt(state, input.seq, input.stream_id);
      }
      const stream_id = state.stream_id ?? input.stream_id;
      return [{ ...state, phase: 'live', attempt: 0, stream_id, off_reason: null }, []];
    }
    case 'reset':
      return adopt(state, input.seq, input.stream_id);
    case 'failed':
      return onFailed(state, input, random);
    case 'dropped':
      return retryLater(state, backoff(state.attempt, random));
    case 'retry':
      return [state, [connect(state)]];
  }
}

function onEvent(state: PushState, seq: number): Step {
  const last = state.last_seq ?? 0;
  if (seq <= last) return [state, []];
  const next: PushState = { ...state, phase: 'live', attempt: 0, last_seq: seq, off_reason: null };
  return [next, [{ type: seq === last + 1 ? 'apply' : 'refetch' }]];
}

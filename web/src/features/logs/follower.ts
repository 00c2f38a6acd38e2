// Follows a log from its end: one request at a time, so that each line is read once.
import { api, take } from '../../api/client';
import { append, EMPTY_LOG, type LogState } from './ring';

export type LogSource = { run_id: string } | { session_id: string } | { path: string };

/** Where the next piece begins. */
export interface Place {
  cursor: number;
  file_id: string;
}

export interface Piece extends Place {
  size: number;
  lines: string[];
  partial?: boolean;
  truncated: boolean;
  reset: boolean;
}

export type ReadPiece = (place: Place | null, signal: AbortSignal) => Promise<Piece>;

export interface Followed {
  log: LogState;
  error: Error | null;
  isLoading: boolean;
}

export const START: Followed = { log: EMPTY_LOG, error: null, isLoading: true };

const PACE_MS = 1_000;
const AFTER_ERROR_MS = 5_000;

const placeQuery = (place: Place | null) =>
  place && { cursor: place.cursor, ...(place.file_id !== '' && { file_id: place.file_id }) };

export const readerOf =
  (source: LogSource): ReadPiece =>
  (place, signal) =>
    take(
      api.GET('/api/v1/ops/logs/tail', {
        params: { query: { ...source, limit: 5_000, ...placeQuery(place) } },
        signal,
      }),
    );

export class LogFollower {
  private state = START;
  private place: Place | null = null;
  private mayGrow = false;
  private isAsking = false;
  private isWanted = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly quit = new AbortController();

  constructor(
    private readonly read: ReadPiece,
    private readonly changed: (state: Followed) => void,
  ) {}

  /** Polls while the log may grow; when it no longer does, reads once more for the last lines. */
  setGrowing(mayGrow: boolean): void {
    this.mayGrow = mayGrow;
    void this.ask();
  }

  /** Reads what is new. A call during a request makes one further request. */
  async ask(): Promise<void> {
    this.isWanted = true;
    if (this.isAsking || this.isStopped()) return;
    this.isAsking = true;
    clearTimeout(this.timer);
    let pause: number | null = null;
    try {
      while (this.isWanted) {
        this.isWanted = false;
        await this.step();
      }
      if (this.mayGrow) pause = PACE_MS;
    } catch (error) {
      if (this.isStopped()) return;
      const failure = error instanceof Error ? error : new Error('Could not read the log.');
      this.show({ ...this.state, error: failure, isLoading: false });
      pause = AFTER_ERROR_MS;
    } finally {
      this.isAsking = false;
    }
    if (pause !== null && !document.hidden) this.timer = setTimeout(() => void this.ask(), pause);
  }

  stop(): void {
    this.quit.abort();
    clearTimeout(this.timer);
  }

  private async step(): Promise<void> {
    const piece = await this.read(this.place, this.quit.signal);
    if (this.isStopped()) return;
    this.place = { cursor: piece.cursor, file_id: piece.file_id };
    this.show({ log: append(this.state.log, piece), error: null, isLoading: false });
    // More was there than fits into one answer.
    if (piece.cursor < piece.size && piece.lines.length > 0) this.isWanted = true;
  }

  private isStopped(): boolean {
    return this.quit.signal.aborted;
  }

  private show(state: Followed): void {
    this.state = state;
    this.changed(state);
  }
}

/** The whole of a log as text, as far as the gateway has kept it. */
export async function wholeLog(read: ReadPiece, signal: AbortSignal): Promise<string> {
  let text = '';
  let place: Place = { cursor: 0, file_id: '' };
  for (;;) {
    const piece = await read(place, signal);
    if (piece.reset) text = '';
    text += piece.lines.join('\n');
    if (piece.lines.length > 0 && piece.partial !== true) text += '\n';
    place = { cursor: piece.cursor, file_id: piece.file_id };
    if (piece.cursor >= piece.size || piece.lines.length === 0) return text;
  }
}

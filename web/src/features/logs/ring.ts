// The lines of a log that is followed: the latest ones, never more than so many.

export interface LogLine {
  /** Rises by one with each line, so that a line keeps its identity while older ones go. */
  number: number;
  text: string;
}

export interface LogState {
  lines: readonly LogLine[];
  /** The number of the next line. */
  next: number;
  /** The last line is not finished yet. */
  is_partial: boolean;
  /** Earlier lines were left out or let go. */
  is_cut: boolean;
}

export const MOST_LINES = 5_000;

export const EMPTY_LOG: LogState = { lines: [], next: 1, is_partial: false, is_cut: false };

interface Chunk {
  lines: readonly string[];
  partial?: boolean;
  truncated: boolean;
  reset: boolean;
}

/** The log with a further piece of it; an unfinished last line goes on with the piece's first. */
export function append(log: LogState, chunk: Chunk, most = MOST_LINES): LogState {
  const before = chunk.reset ? EMPTY_LOG : log;
  if (chunk.lines.length === 0 && before === log) return log;
  const [first, ...others] = chunk.lines;
  const kept = before.lines.slice();
  const last = kept.at(-1);
  let texts: string[] = first === undefined ? [] : [first, ...others];
  if (before.is_partial && last && first !== undefined) {
    kept[kept.length - 1] = { ...last, text: last.text + first };
    texts = others;
  }
  const added = texts.map((text, index) => ({ number: before.next + index, text }));
  const lines = [...kept, ...added];
  return {
    lines: lines.slice(-most),
    next: before.next + added.length,
    is_partial: chunk.partial ?? false,
    is_cut: before.is_cut || chunk.truncated || lines.length > most,
  };
}

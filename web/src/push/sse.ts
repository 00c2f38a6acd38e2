// Server-sent events over fetch: an EventSource cannot tell a 401 from a 404 from a network error.

export interface Frame {
  id: string | null;
  data: string;
}

/** Puts frames together from chunks of text that break anywhere. */
export class FrameParser {
  private rest = '';
  private id: string | null = null;
  private data: string[] = [];

  push(chunk: string): Frame[] {
    const lines = (this.rest + chunk).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    const frames: Frame[] = [];
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0) frames.push({ id: this.id, data: this.data.join('\n') });
        this.data = [];
        this.id = null;
      } else {
        this.field(line);
      }
    }
    return frames;
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.data.push(value);
    else if (name === 'id') this.id = value;
  }
}

export interface StreamHandlers {
  opened: () => void;
  /** Any bytes came, be it only a comment. */
  alive: () => void;
  frame: (frame: Frame) => void;
  refused: (response: Response) => void;
  /** The stream ended, or never came about. */
  dropped: () => void;
}

/** Reads a stream until it ends or `signal` aborts; an abort calls no handler. */
export async function readStream(
  url: string,
  signal: AbortSignal,
  handlers: StreamHandlers,
): Promise<void> {
  try {
    const response = await fetch(url, {
      headers: { Accept: 'text/event-stream' },
      cache: 'no-store',
      credentials: 'same-origin',
      signal,
    });
    if (!response.ok || response.body === null) {
      handlers.refused(response);
      return;
    }
    handlers.opened();
    const parser = new FrameParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      handlers.alive();
      for (const frame of parser.push(decoder.decode(value, { stream: true }))) {
        handlers.frame(frame);
      }
    }
  } catch {
    // What broke it does not matter: the answer to every kind of break is to resume.
  }
  if (!signal.aborted) handlers.dropped();
}

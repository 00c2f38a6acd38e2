// The present, as a value that components share: one timer for each pace, whoever looks.
import { useSyncExternalStore } from 'react';

class Ticker {
  private now = Date.now();
  private readonly watchers = new Set<() => void>();
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly pace: number) {}

  readonly get = () => this.now;

  readonly subscribe = (watcher: () => void) => {
    if (this.watchers.size === 0) {
      this.now = Date.now();
      this.timer = setInterval(() => {
        this.now = Date.now();
        for (const each of this.watchers) each();
      }, this.pace);
    }
    this.watchers.add(watcher);
    return () => {
      this.watchers.delete(watcher);
      if (this.watchers.size === 0) clearInterval(this.timer);
    };
  };
}

const tickers = { second: new Ticker(1_000), calm: new Ticker(15_000) };

/** Epoch milliseconds, renewed each second, or every 15 seconds where that is enough. */
export function useNow(pace: keyof typeof tickers = 'calm'): number {
  const ticker = tickers[pace];
  return useSyncExternalStore(ticker.subscribe, ticker.get);
}

// One stream per browser: the tab that holds a Web Lock reads it, the others hear it by broadcast.

export interface Tabs {
  /** Becomes the leader at once or when the present one goes; tells so through `elected`. */
  campaign: (elected: () => void) => void;
  post: (message: unknown) => void;
  listen: (heard: (message: unknown) => void) => void;
  resign: () => void;
  /** Whether tabs can agree on a leader at all. */
  readonly canAgree: boolean;
}

const NAME = 'ua-push';

/** Tabs of this browser. Web Locks are absent on plain http except on localhost. */
export function browserTabs(): Tabs {
  const locks: LockManager | undefined = 'locks' in navigator ? navigator.locks : undefined;
  const channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel(NAME) : null;
  const quit = new AbortController();
  return {
    canAgree: locks !== undefined && channel !== null,
    campaign(elected) {
      if (locks === undefined) {
        elected();
        return;
      }
      locks
        .request(NAME, { signal: quit.signal }, () => {
          elected();
          return new Promise<void>((release) => {
            quit.signal.addEventListener('abort', () => release());
          });
        })
        .catch(() => {
          // The wait was aborted because the tab goes.
        });
    },
    post: (message) => channel?.postMessage(message),
    listen: (heard) => channel?.addEventListener('message', (event) => heard(event.data)),
    resign() {
      quit.abort();
      channel?.close();
    },
  };
}

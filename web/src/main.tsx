import './app/mantine.css';
import './app/tokens.css';
import './app/base.css';
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { api, take } from './api/client';
import { keys } from './api/keys';
import { createQueryClient } from './api/queryClient';
import { App } from './app/App';
import { theme } from './app/theme';
import { BASE } from './lib/base';
import { PushClient } from './push/client';
import { PushContext } from './push/context';
import { Feeder } from './push/feeder';
import { browserTabs } from './push/leader';

const push = new PushClient({
  tabs: browserTabs(),
  random: Math.random,
  probe: async () => {
    const params = { query: { since_seq: 0, limit: 1 } };
    const log = await take(api.GET('/api/v1/ops/scheduling/events', { params }));
    return {
      seq: log.event_bus_seq,
      stream_id: log.stream_id,
      projection_version: log.projection_version ?? null,
    };
  },
});

const queries = createQueryClient(
  () => push.getSnapshot().phase === 'live',
  () => {
    push.send({ type: 'failed', status: 401, disabled: false, retry_after_seconds: null });
    void queries.invalidateQueries({ queryKey: keys.config });
  },
);
push.listen(new Feeder(queries));

/** The gateway's content security policy lets style elements in that carry this. */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? '';
// Where react-style-singleton, which locks scrolling below a dialog, looks for it.
Object.assign(globalThis, { __webpack_nonce__: nonce });

const root = document.getElementById('root');
if (root === null) throw new Error('expected an element #root');
createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      getStyleNonce={() => nonce}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queries}>
        <PushContext value={push}>
          <BrowserRouter basename={BASE}>
            <App />
          </BrowserRouter>
        </PushContext>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);

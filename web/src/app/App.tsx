import { type JSX, Suspense, useEffect } from 'react';
import { Link, Route, Routes, useLocation } from 'react-router';
import { ApiError } from '../api/errors';
import { DEFAULT_CONFIG, useConfig } from '../api/queries';
import { JobZonesProvider } from '../calendar/jobZones';
import { usePreferences } from '../lib/preferences';
import { usePushClient, usePushPhase } from '../push/context';
import { EmptyState } from '../ui/EmptyState';
import { Waiting } from '../ui/Loaded';
import { Page } from '../ui/Page';
import { ErrorBoundary } from './ErrorBoundary';
import { HostNotice } from './HostNotice';
import { lazyPage } from './lazyPage';
import { Shell } from './Shell';
import { SignIn } from './SignIn';
import { ZoneProvider } from './zone';

const Overview = lazyPage('overview', () => import('../features/overview/Overview'));
const Calendar = lazyPage('calendar', () => import('../calendar/Calendar'));
const Jobs = lazyPage('jobs', () => import('../features/jobs/Jobs'));
const JobPage = lazyPage('job', () => import('../features/jobs/JobPage'));
const Sessions = lazyPage('sessions', () => import('../features/sessions/Sessions'));
const Stasis = lazyPage('stasis', () => import('../features/stasis/Stasis'));
const Changes = lazyPage('changes', () => import('../features/changes/Changes'));
const Activity = lazyPage('activity', () => import('../features/activity/Activity'));
const Metrics = lazyPage('metrics', () => import('../features/metrics/Metrics'));
const Logs = lazyPage('logs', () => import('../features/logs/Logs'));
const Settings = lazyPage('settings', () => import('../features/settings/Settings'));

/** Tells the push client what the gateway and this browser allow. */
function usePushSwitch(): void {
  const client = usePushClient();
  const { data: config, dataUpdatedAt } = useConfig();
  const { push: local } = usePreferences();
  useEffect(() => {
    if (!config) return;
    client.send({ type: 'config', server: config.sched_push_enabled, local });
    if (config.auth_required && !config.signed_in) return;
    client.start();
    // Somebody may have signed in in another tab.
    client.send({ type: 'signed_in' });
  }, [client, config, dataUpdatedAt, local]);
}

export function App(): JSX.Element {
  const { data: config, isPending, error } = useConfig();
  const phase = usePushPhase();
  usePushSwitch();
  // Before it is known who asks, nothing else is asked for.
  if (isPending) return <Waiting lines={8} />;
  if (!config && error instanceof ApiError && error.status === 403) {
    return <EmptyState title="The gateway refuses this page">{error.message}</EmptyState>;
  }
  const { auth_required, signed_in, host } = config ?? DEFAULT_CONFIG;
  const isOut = (auth_required && !signed_in) || phase === 'signed_out';
  return (
    <>
      <HostNotice host={host} />
      {isOut ? (
        <SignIn />
      ) : (
        <ZoneProvider>
          <JobZonesProvider>
            <Shell>
              <Pages />
            </Shell>
          </JobZonesProvider>
        </ZoneProvider>
      )}
    </>
  );
}

function Pages(): JSX.Element {
  const { pathname } = useLocation();
  return (
    <ErrorBoundary key={pathname}>
      <Suspense fallback={<Waiting lines={8} />}>
        <Routes>
          <Route path="/" element={<Overview />} />
          <Route path="/calendar" element={<Calendar />} />
          <Route path="/jobs" element={<Jobs />} />
          <Route path="/jobs/:job_id" element={<JobPage />} />
          <Route path="/sessions" element={<Sessions />} />
          <Route path="/stasis" element={<Stasis />} />
          <Route path="/changes" element={<Changes />} />
          <Route path="/activity" element={<Activity />} />
          <Route path="/activity/metrics" element={<Metrics />} />
          <Route path="/logs" element={<Logs />} />
          <Route path="/settings" element={<Settings />} />
          <Route path="*" element={<NotFound />} />
        </Routes>
      </Suspense>
    </ErrorBoundary>
  );
}

function NotFound(): JSX.Element {
  return (
    <Page title="Not found">
      <EmptyState title="There is no such page" actions={<Link to="/">To the overview</Link>} />
    </Page>
  );
}

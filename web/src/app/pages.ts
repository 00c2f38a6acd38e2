// The pages, in the order of the navigation. /metrics itself is where Prometheus reads.
import type { IconName } from '../ui/icons';

export interface PageLink {
  path: string;
  label: string;
  icon: IconName;
  /** Pressed after g. */
  key: string;
  /** Whether the link also stands for the addresses below its own. */
  hasMore?: boolean;
}

export const PAGES: readonly PageLink[] = [
  { path: '/', label: 'Overview', icon: 'overview', key: 'o' },
  { path: '/calendar', label: 'Calendar', icon: 'calendar', key: 'c' },
  { path: '/jobs', label: 'Jobs', icon: 'jobs', key: 'j', hasMore: true },
  { path: '/sessions', label: 'Sessions', icon: 'sessions', key: 'e' },
  { path: '/stasis', label: 'Stasis', icon: 'stasis', key: 's' },
  { path: '/changes', label: 'Changes', icon: 'changes', key: 'h' },
  { path: '/activity', label: 'Activity', icon: 'activity', key: 'a' },
  { path: '/activity/metrics', label: 'Metrics', icon: 'metrics', key: 'm' },
  { path: '/logs', label: 'Logs', icon: 'logs', key: 'l' },
  { path: '/settings', label: 'Settings', icon: 'settings', key: 'x' },
];

// Every query key. What the push stream keeps current begins with 'pushed'.
import type { CalendarQuery } from './paths';
import type { RunQuery } from './runFilter';

const pushed = ['pushed'] as const;

export const keys = {
  pushed,
  calendar: {
    all: [...pushed, 'calendar'] as const,
    feed: (query: CalendarQuery) => [...pushed, 'calendar', query] as const,
  },
  stasis: { all: [...pushed, 'stasis'] as const },
  jobs: {
    all: [...pushed, 'jobs'] as const,
    list: [...pushed, 'jobs', 'list'] as const,
    one: (jobId: string) => [...pushed, 'jobs', 'one', jobId] as const,
  },
  runs: {
    /** The beginning of the keys of all lists of a job, or of all jobs. */
    lists: (jobId?: string) => [...pushed, 'runs', 'list', jobId ?? null] as const,
    list: (jobId: string | undefined, limit: number) =>
      [...pushed, 'runs', 'list', jobId ?? null, limit] as const,
    allPages: [...pushed, 'runs', 'pages'] as const,
    pages: (query: RunQuery) => [...pushed, 'runs', 'pages', query] as const,
    one: (runId: string) => [...pushed, 'runs', 'one', runId] as const,
  },
  next: [...pushed, 'next'] as const,
  events: [...pushed, 'events'] as const,
  heartbeats: [...pushed, 'heartbeats'] as const,
  sessions: [...pushed, 'sessions'] as const,
  session: (id: string) => [...pushed, 'sessions', id] as const,
  files: (id: string) => ['files', id] as const,
  notifications: [...pushed, 'notifications'] as const,
  channels: [...pushed, 'channels'] as const,
  resources: [...pushed, 'resources'] as const,
  pools: [...pushed, 'pools'] as const,
  feedTokens: [...pushed, 'feed tokens'] as const,
  ledger: [...pushed, 'ledger'] as const,
  continuity: ['continuity'] as const,
  config: ['config'] as const,
  flags: ['flags'] as const,
  health: ['health'] as const,
  metrics: ['metrics'] as const,
  audit: [...pushed, 'audit'] as const,
  explain: (eventId: string) => ['explain', eventId] as const,
  preview: (fields: unknown) => ['preview', fields] as const,
};

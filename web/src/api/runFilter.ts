// Which runs a list shows.
import type { Run, RunRecord, RunStatus } from './contract';

export const RUN_FILTERS = ['all', 'failed', 'interrupted', 'open', 'success', 'skipped'] as const;
export type RunFilter = (typeof RUN_FILTERS)[number];

export const RUNS_OF_A_PAGE = 200;

export interface RunQuery {
  job_id: string | null;
  filter: RunFilter;
}

/** The statuses of a filter; null: all of them. */
export const STATUSES: Record<RunFilter, readonly RunStatus[] | null> = {
  all: null,
  failed: ['error', 'timeout', 'stalled', 'cancelled'],
  interrupted: ['interrupted'],
  open: ['running', 'queued'],
  success: ['success'],
  skipped: ['skipped'],
};

export const runFilterOf = (text: string | null): RunFilter =>
  RUN_FILTERS.find((each) => each === text) ?? 'all';

export const fits = ({ job_id, filter }: RunQuery, run: RunRecord | Run): boolean =>
  (job_id === null || run.job_id === job_id) && (STATUSES[filter]?.includes(run.status) ?? true);

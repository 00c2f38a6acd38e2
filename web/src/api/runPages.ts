// Runs, newest first, page by page to the first one.
import { useInfiniteQuery } from '@tanstack/react-query';
import { api, take } from './client';
import type { Run, RunStatus } from './contract';
import { keys } from './keys';
import { useInterval } from './queries';
import { type RunQuery, STATUSES } from './runFilter';

const PAGE = 200;

async function readRuns(
  job_id: string | null,
  status: RunStatus | null,
  before: string | null,
  signal: AbortSignal,
): Promise<Run[]> {
  const query = {
    limit: PAGE,
    ...(before !== null && { before }),
    ...(status !== null && { status }),
  };
  if (job_id === null) {
    return (await take(api.GET('/api/v1/cron/runs', { params: { query }, signal }))).runs;
  }
  const params = { query, path: { job_id } };
  return (await take(api.GET('/api/v1/cron/jobs/{job_id}/runs', { params, signal }))).runs;
}

const newestFirst = (a: Run, b: Run) => (a.run_id < b.run_id ? 1 : -1);

/** A page of a filter; the gateway filters by one status, so several are asked for and merged. */
async function readPage(
  query: RunQuery,
  before: string | null,
  signal: AbortSignal,
): Promise<Run[]> {
  const statuses = STATUSES[query.filter] ?? [null];
  const parts = await Promise.all(
    statuses.map((status) => readRuns(query.job_id, status, before, signal)),
  );
  return parts.flat().sort(newestFirst).slice(0, PAGE);
}

export const useRunPages = (query: RunQuery) =>
  useInfiniteQuery({
    queryKey: keys.runs.pages(query),
    queryFn: ({ pageParam, signal }) => readPage(query, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.at(-1)?.run_id,
    refetchInterval: useInterval('calendar'),
  });

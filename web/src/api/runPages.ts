// Runs, newest first, page by page to the first one.
import { useInfiniteQuery } from '@tanstack/react-query';
import { api, take } from './client';
import type { RunPage } from './contract';
import { keys } from './keys';
import { useInterval } from './queries';
import { RUNS_OF_A_PAGE, type RunQuery, STATUSES } from './runFilter';

async function readPage(
  { job_id, filter }: RunQuery,
  before: string | null,
  signal: AbortSignal,
): Promise<RunPage> {
  const statuses = STATUSES[filter];
  const query = {
    limit: RUNS_OF_A_PAGE,
    ...(before !== null && { before }),
    ...(statuses !== null && { status: statuses.join(',') }),
  };
  const page =
    job_id === null
      ? await take(api.GET('/api/v1/cron/runs', { params: { query }, signal }))
      : await take(
          api.GET('/api/v1/cron/jobs/{job_id}/runs', {
            params: { query, path: { job_id } },
            signal,
          }),
        );
  const { runs, has_more } = page;
  return { runs, next: has_more ? (runs.at(-1)?.run_id ?? null) : null };
}

/** The runs of a filter in one list, and what reads the next page. */
export function useRunPages(query: RunQuery) {
  return useInfiniteQuery({
    queryKey: keys.runs.pages(query),
    queryFn: ({ pageParam, signal }) => readPage(query, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    refetchInterval: useInterval('calendar'),
  });
}

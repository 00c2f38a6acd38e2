// What people call the things that events and runs are about.
import { useCallback, useMemo } from 'react';
import { useHeartbeats, useJobs } from '../api/queries';
import { beatName } from './overview/freshness';

interface Named {
  name: string;
  to: string;
}

/** Name and page of a job or a session by its id; null for what is not there any more. */
export function useNames(): (ref: string) => Named | null {
  const { data: jobs } = useJobs();
  const { data: beats } = useHeartbeats();
  const known = useMemo(() => {
    const found = new Map<string, Named>();
    for (const { job_id, title } of jobs ?? []) {
      found.set(job_id, { name: title, to: `/jobs/${job_id}` });
    }
    for (const beat of Object.values(beats ?? {})) {
      const to = `/sessions?id=${encodeURIComponent(beat.session_id)}`;
      found.set(beat.session_id, { name: `Heartbeat of ${beatName(beat)}`, to });
    }
    return found;
  }, [jobs, beats]);
  return useCallback((ref: string) => known.get(ref) ?? null, [known]);
}

/** Shown for something that no longer has a name: a word and the end of its id. */
export const namelessRef = (ref: string): string =>
  `${ref.startsWith('ses_') ? 'deleted session' : 'deleted job'} …${ref.slice(-6)}`;

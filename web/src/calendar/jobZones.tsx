// In which zone each job's times are written, to be shown beside when it is not the display zone.
import { createContext, type JSX, type ReactNode, use, useMemo } from 'react';
import { useJobs } from '../api/queries';

type Zones = Readonly<Record<string, string>>;

const JobZones = createContext<Zones>({});

/** Knows the zones of all jobs; its consumers are drawn anew only when a zone changes. */
export function JobZonesProvider({ children }: { children: ReactNode }): JSX.Element {
  const { data: jobs } = useJobs();
  const told = JSON.stringify(
    Object.fromEntries((jobs ?? []).map((job) => [job.job_id, job.timezone])),
  );
  const zones = useMemo(() => JSON.parse(told) as Zones, [told]);
  return <JobZones value={zones}>{children}</JobZones>;
}

/** A job's own zone when it is not `zone`; null when it is, or is not known. */
export function useOwnZone(sourceRef: string, zone: string): string | null {
  const own = use(JobZones)[sourceRef];
  return own === undefined || own === zone ? null : own;
}

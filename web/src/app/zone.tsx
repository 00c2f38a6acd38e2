// The zone that times are shown in. It changes nothing but the display.
import { createContext, type JSX, type ReactNode, use, useCallback } from 'react';
import { useSearchParams } from 'react-router';
import { DEFAULT_CONFIG, useConfig } from '../api/queries';
import { prefer, usePreferences } from '../lib/preferences';
import { isZone } from '../lib/time';

const ZoneContext = createContext('UTC');

export const useZone = () => use(ZoneContext);

/** A link's zone wins over this browser's choice, and that over the gateway's. */
export function ZoneProvider({ children }: { children: ReactNode }): JSX.Element {
  const [search] = useSearchParams();
  const { zone } = usePreferences();
  const { data: config } = useConfig();
  const named = search.get('tz') ?? zone ?? (config ?? DEFAULT_CONFIG).user_timezone;
  return <ZoneContext value={isZone(named) ? named : 'UTC'}>{children}</ZoneContext>;
}

export function useSetZone(): (zone: string) => void {
  const [, setSearch] = useSearchParams();
  return useCallback(
    (zone: string) => {
      prefer({ zone });
      setSearch(
        (search) => {
          if (search.has('tz')) search.set('tz', zone);
          return search;
        },
        { replace: true },
      );
    },
    [setSearch],
  );
}

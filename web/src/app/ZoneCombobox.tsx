import { Combobox, useCombobox } from '@mantine/core';
import { type JSX, useMemo, useState } from 'react';
import { DEFAULT_CONFIG, useConfig, useJobs } from '../api/queries';
import { useNow } from '../lib/now';
import { allZones, browserZone, clock } from '../lib/time';
import { useSetZone, useZone } from './zone';
import { ZoneButton } from './ZonePicker';

const MOST = 40;

/** The zones most likely wanted: UTC, this browser's, the gateway's, the jobs' own. */
function useLikelyZones(): string[] {
  const { data: config } = useConfig();
  const { data: jobs } = useJobs();
  return useMemo(() => {
    const gateway = (config ?? DEFAULT_CONFIG).user_timezone;
    const ofJobs = (jobs ?? []).map((job) => job.timezone);
    return [...new Set(['UTC', browserZone(), gateway, ...ofJobs])];
  }, [config, jobs]);
}

/** The zones to choose from; loaded at the first click, and open then. */
export default function ZoneCombobox(): JSX.Element {
  const zone = useZone();
  const setZone = useSetZone();
  const likely = useLikelyZones();
  const now = useNow();
  const [search, setSearch] = useState('');
  const combobox = useCombobox({
    defaultOpened: true,
    onDropdownClose: () => {
      combobox.resetSelectedOption();
      setSearch('');
    },
    onDropdownOpen: () => combobox.focusSearchInput(),
  });
  const wanted = search.trim().toLowerCase().replaceAll(' ', '_');
  const others = wanted === '' ? [] : allZones().filter((each) => !likely.includes(each));
  const matches = (each: string) => each.toLowerCase().includes(wanted);
  const shown = [...likely, ...others].filter(matches).slice(0, MOST);
  return (
    <Combobox
      store={combobox}
      width={280}
      position="bottom-end"
      onOptionSubmit={(value) => {
        setZone(value);
        combobox.closeDropdown();
      }}
    >
      <Combobox.Target targetType="button">
        <ZoneButton zone={zone} onClick={() => combobox.toggleDropdown()} />
      </Combobox.Target>
      <Combobox.Dropdown>
        <Combobox.Search
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          placeholder="Any zone, e.g. Tokyo"
          aria-label="Search a time zone"
        />
        <Combobox.Options mah={320} style={{ overflowY: 'auto' }}>
          {shown.length === 0 && <Combobox.Empty>No such zone</Combobox.Empty>}
          {shown.map((each) => (
            <Combobox.Option key={each} value={each} active={each === zone}>
              <span style={{ display: 'flex', justifyContent: 'space-between', gap: 12 }}>
                <span className="clip">{each.replaceAll('_', ' ')}</span>
                <span className="muted num">{clock(now, each)}</span>
              </span>
            </Combobox.Option>
          ))}
        </Combobox.Options>
        <Combobox.Footer>
          <span className="muted small">Changes display only, never a schedule.</span>
        </Combobox.Footer>
      </Combobox.Dropdown>
    </Combobox>
  );
}

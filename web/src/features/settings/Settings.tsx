import { Button, SegmentedControl, Switch, useMantineColorScheme } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { type JSX, type ReactNode, useState } from 'react';
import { api } from '../../api/client';
import { useDrain, useSetFlag } from '../../api/actions';
import type { Flag } from '../../api/contract';
import { type Health, useHealth } from '../../api/health';
import { useConfig, useFlags } from '../../api/queries';
import { ZonePicker } from '../../app/ZonePicker';
import { prefer, usePreferences } from '../../lib/preferences';
import { maybeInstant } from '../../lib/time';
import { PushPill } from '../../push/PushPill';
import { Confirm } from '../../ui/Confirm';
import { Facts } from '../../ui/Facts';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { WordBadge } from '../../ui/StatusBadge';
import { When } from '../../ui/times';
import { FeedTokens } from './FeedTokens';
import { Pools } from './Pools';
import styles from './Settings.module.css';

/** This browser's choices, the gateway's switches, and what it is. */
export default function Settings(): JSX.Element {
  return (
    <Page title="Settings">
      <div className={styles.columns}>
        <Browser />
        <Gateway />
      </div>
      <Pools />
      <FeedTokens />
      <Flags />
    </Page>
  );
}

function Setting(props: { name: string; about: string; children: ReactNode }): JSX.Element {
  return (
    <div className={styles.setting}>
      <div>
        <b>{props.name}</b>
        <p className="muted">{props.about}</p>
      </div>
      <div className={styles.control}>{props.children}</div>
    </div>
  );
}

function Browser(): JSX.Element {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { push, keys } = usePreferences();
  return (
    <Panel title="This browser">
      <Setting name="Theme" about="Light, dark, or as the system has it.">
        <SegmentedControl
          size="xs"
          aria-label="Theme"
          value={colorScheme}
          onChange={(value) => {
            setColorScheme(value === 'light' || value === 'dark' ? value : 'auto');
          }}
          data={[
            { value: 'auto', label: 'System' },
            { value: 'light', label: 'Light' },
            { value: 'dark', label: 'Dark' },
          ]}
        />
      </Setting>
      <Setting name="Time zone" about="How times are shown. It changes no schedule.">
        <div className={styles.zone}>
          <ZonePicker />
        </div>
      </Setting>
      <Setting name="Push" about="Keep the page current by the event stream; otherwise it polls.">
        <PushPill />
        <Switch
          aria-label="Use the push stream in this browser"
          checked={push}
          onChange={(event) => prefer({ push: event.currentTarget.checked })}
        />
      </Setting>
      <Setting name="Single-key shortcuts" about="Keys such as t, w and g c. Ctrl K always works.">
        <Switch
          aria-label="Single-key shortcuts"
          checked={keys}
          onChange={(event) => prefer({ keys: event.currentTarget.checked })}
        />
      </Setting>
    </Panel>
  );
}

function Gateway(): JSX.Element {
  const health = useHealth();
  const { data: config } = useConfig();
  const queries = useQueryClient();
  const signOut = async () => {
    await api.POST('/api/v1/auth/logout').catch(() => null);
    await queries.invalidateQueries();
  };
  return (
    <Panel
      title="Gateway"
      actions={
        <>
          <DrainButton isDraining={health.data?.status === 'draining'} />
          {config?.auth_required === true && (
            <Button onClick={() => void signOut()}>Sign out</Button>
          )}
        </>
      }
    >
      <div className={styles.facts}>
        <Loaded query={health} what="the gateway's health">
          {(document) => (
            <Facts
              of={[
                [
                  'Health',
                  <WordBadge key="h" {...HEALTH[document.status]} label={document.status} />,
                ],
                ['Reasons', document.reasons.length === 0 ? null : document.reasons.join(', ')],
                ['Version', document.version],
                ['Database', `${databaseOf(document.deployment_profile)} ${document.db_status}`],
                ['Zone', config?.user_timezone],
                ['Token', config?.auth_required === true ? 'required' : 'not required'],
                ['Its clock', <When key="c" at={maybeInstant(document.timestamp)} />],
              ]}
            />
          )}
        </Loaded>
      </div>
    </Panel>
  );
}

const HEALTH = {
  healthy: { glyph: '✓', tone: 'ok' },
  degraded: { glyph: '!', tone: 'miss' },
  draining: { glyph: '◌', tone: 'run' },
  unhealthy: { glyph: '✕', tone: 'bad' },
} as const satisfies Record<Health['status'], unknown>;

/** Stops the gateway once its open runs have ended. */
function DrainButton({ isDraining }: { isDraining: boolean }): JSX.Element {
  const [isAsked, setIsAsked] = useState(false);
  const drain = useDrain();
  const close = () => setIsAsked(false);
  return (
    <>
      <Button disabled={isDraining} onClick={() => setIsAsked(true)}>
        {isDraining ? 'Draining' : 'Drain and stop'}
      </Button>
      {isAsked && (
        <Confirm
          title="Drain and stop the gateway?"
          verb="Drain"
          isBusy={drain.isPending}
          onConfirm={() => drain.mutate(undefined, { onSettled: close })}
          onClose={close}
        >
          Nothing more is started. The gateway stops when its open runs have ended; slots that come
          due until the next start are decided then.
        </Confirm>
      )}
    </>
  );
}

const databaseOf = ({ database }: Record<string, unknown>) =>
  typeof database === 'string' ? database : '';

const ABOUT: Record<string, string> = {
  UA_SCHED_EVENT_PROJECTION_ENABLED: 'The calendar is read from the event projection.',
  UA_SCHED_PUSH_ENABLED: 'The gateway offers the push stream.',
  NEXT_PUBLIC_UA_SCHED_PUSH_ENABLED: 'Dashboards open the push stream.',
  UA_SCHED_PROJECTION_SHADOW: 'Every feed is built both ways and compared.',
};

function Flags(): JSX.Element {
  const query = useFlags();
  return (
    <Panel title="Switches of the gateway">
      <Loaded query={query} what="the switches">
        {(flags) => (
          <>
            {Object.entries(flags).map(([name, flag]) => (
              <FlagSetting key={name} name={name} flag={flag} />
            ))}
          </>
        )}
      </Loaded>
    </Panel>
  );
}

const isOn = ({ value }: Flag) => value === true || value === 1 || value === '1';

function FlagSetting({ name, flag }: { name: string; flag: Flag }): JSX.Element {
  const set = useSetFlag();
  const isOverride = flag.source === 'override';
  return (
    <Setting name={name} about={ABOUT[name] ?? ''}>
      <span className="muted small">
        {flag.source}
        {isOverride && flag.changed_at !== null && (
          <>
            {' '}
            since <When at={maybeInstant(flag.changed_at)} />
          </>
        )}
      </span>
      {isOverride && <Button onClick={() => set.mutate({ name, value: null })}>Take back</Button>}
      <Switch
        aria-label={name}
        checked={isOn(flag)}
        disabled={set.isPending}
        onChange={(event) => set.mutate({ name, value: event.currentTarget.checked ? '1' : '0' })}
      />
    </Setting>
  );
}

import { NativeSelect, Switch, Textarea, TextInput } from '@mantine/core';
import type { JSX } from 'react';
import type { Job, Priority } from '../../api/contract';
import { usePools, useSessions } from '../../api/queries';
import { rowsOf } from '../sessions/rows';
import { type Draft, type DraftErrors, type WakeHeartbeat } from './draft';
import { type FailOnDraft, PRESETS } from './failOn';
import styles from './JobDialog.module.css';

interface FieldsProps {
  draft: Draft;
  set: <K extends keyof Draft>(key: K, value: Draft[K]) => void;
  errors: DraftErrors;
  isNew: boolean;
}

const ON_MISS: Record<Draft['on_miss'], string> = {
  '': 'By its cadence (the default)',
  ask: 'Ask (it waits in stasis)',
  run_latest: 'Run the latest',
  run_all: 'Run all of them',
  skip: 'Skip them',
};

const OVERLAP: Record<Job['overlap'], string> = {
  skip: 'Skip the slot',
  queue_one: 'Let one slot wait',
  allow: 'Run side by side',
  cancel_previous: 'Cancel the earlier run',
};

const PRIORITY: Record<Priority, string> = {
  critical: 'Critical',
  normal: 'Normal',
  low: 'Low',
};

const WAKE: Record<WakeHeartbeat, string> = {
  '': 'Mention it in the next beat',
  next: 'Mention it in the next beat, always',
  now: 'Wake the session immediately',
  off: 'Do not mention it',
};

type TextKey = {
  [K in keyof Draft]: Draft[K] extends string ? (string extends Draft[K] ? K : never) : never;
}[keyof Draft];

/** Everything beyond what a job runs and when, folded by subject. */
export function JobPolicyFields({ draft, set, errors, isNew }: FieldsProps): JSX.Element {
  const text = (key: TextKey, label: string, placeholder = '', description = '') => (
    <TextInput
      label={label}
      placeholder={placeholder}
      description={description || undefined}
      value={draft[key]}
      error={errors[key]}
      onChange={(event) => set(key, event.currentTarget.value)}
    />
  );
  const flag = (
    key: 'delete_after_run' | 'side_effects' | 'light',
    label: string,
    description: string,
  ) => (
    <Switch
      label={label}
      description={description}
      checked={draft[key]}
      onChange={(event) => set(key, event.currentTarget.checked)}
    />
  );
  return (
    <>
      <Section title="Missed and overlapping slots">
        <Choice
          label="When a slot was missed"
          choices={ON_MISS}
          value={draft.on_miss}
          onChange={(value) => set('on_miss', value)}
        />
        {text(
          'useful_for',
          'Useful for',
          draft.on_miss === '' ? 'by the cadence' : 'without end',
          'A missed slot expires after this.',
        )}
        {flag('side_effects', 'Has side effects', 'A late run may do harm: its missed slots wait.')}
        <Choice
          label="When it still runs"
          choices={OVERLAP}
          value={draft.overlap}
          onChange={(value) => set('overlap', value)}
        />
        {text('grace', 'Grace', '1m', 'Up to this late a slot simply runs.')}
        {text('queue_limit', 'Longest wait for a worker', '15m')}
        <PoolField value={draft.pool} onChange={(value) => set('pool', value)} />
        {flag('light', 'Light', 'Ends within 5 minutes: it may take the workers in reserve.')}
        {text('jitter', 'Jitter', '0', 'Starts are shifted by up to this.')}
      </Section>
      <Section title="Failures and retries">
        {text('timeout', 'Timeout', '1h', 'A run is stopped after this.')}
        {text(
          'idle_timeout',
          'Longest silence',
          'none',
          'A run without a sign of life is stopped.',
        )}
        {text('retries', 'Retries', '0', 'Further attempts after a failure.')}
        {text('retry_backoff', 'Waits between attempts', '30s, 1m, 5m')}
        {text('auto_pause_after', 'Pause after failed slots', '10', '0 is never.')}
        {text(
          'retry_interrupted',
          'Retries of interrupted runs',
          '0',
          'Further attempts after a run was cut off, without asking you. At most 10.',
        )}
        <FailOn
          draft={draft.fail_on}
          error={errors.fail_on}
          onChange={(value) => set('fail_on', value)}
        />
      </Section>
      <Section title="Runner, session and tags">
        {text('runner', 'Runner', 'the gateway chooses', 'shell, agent or http.')}
        {text('model', 'Model', 'as the gateway is set')}
        {text('workspace_dir', 'Folder', 'one of its own')}
        {isNew && text('user_id', 'Owner', 'default')}
        <SessionField value={draft.session_id} onChange={(value) => set('session_id', value)} />
        <Choice
          label="When a run ends"
          choices={WAKE}
          value={draft.wake_heartbeat}
          onChange={(value) => set('wake_heartbeat', value)}
          isDisabled={draft.session_id === ''}
        />
        <Choice
          label="Priority"
          choices={PRIORITY}
          value={draft.priority}
          onChange={(value) => set('priority', value)}
        />
        {text('channel', 'Channel', 'none')}
        {text('tags', 'Tags', 'mail, daily', 'Words between commas.')}
        {flag('delete_after_run', 'Delete after its run', 'For a job that runs once.')}
      </Section>
    </>
  );
}

function Section({ title, children }: { title: string; children: React.ReactNode }): JSX.Element {
  return (
    <details className={styles.policy}>
      <summary>{title}</summary>
      <div className={styles.grid}>{children}</div>
    </details>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  choices: Record<T, string>;
  value: T;
  onChange: (value: T) => void;
  isDisabled?: boolean;
}

function Choice<T extends string>(props: ChoiceProps<T>): JSX.Element {
  const { label, choices, value, onChange, isDisabled = false } = props;
  const values = Object.keys(choices) as T[];
  return (
    <NativeSelect
      label={label}
      data={values.map((each) => ({ value: each, label: choices[each] }))}
      value={value}
      disabled={isDisabled}
      onChange={(event) => {
        const found = values.find((each) => each === event.currentTarget.value);
        if (found !== undefined) onChange(found);
      }}
    />
  );
}

/** The pools there are; the default one bounds every run. */
function PoolField({ value, onChange }: SessionFieldProps): JSX.Element {
  const { data } = usePools();
  const names = (data ?? []).map((pool) => pool.name).filter((name) => name !== 'default');
  const isKnown = value === '' || names.includes(value);
  return (
    <NativeSelect
      label="Pool"
      description="Bounds how many of its runs are in execution."
      data={[{ value: '', label: 'None' }, ...(isKnown ? [] : [value]), ...names]}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

interface SessionFieldProps {
  value: string;
  onChange: (value: string) => void;
}

/** Sessions by name; what is sent is the id. */
function SessionField({ value, onChange }: SessionFieldProps): JSX.Element {
  const { data } = useSessions();
  const known = rowsOf(data ?? [], {}).map((row) => ({ value: row.session_id, label: row.name }));
  const isKnown = value === '' || known.some((each) => each.value === value);
  return (
    <NativeSelect
      label="Session"
      data={[{ value: '', label: 'None' }, ...(isKnown ? [] : [{ value, label: value }]), ...known]}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

interface FailOnProps {
  draft: FailOnDraft;
  error: string | undefined;
  onChange: (draft: FailOnDraft) => void;
}

/** What counts as a failure beyond what the runner knows. */
function FailOn({ draft, error, onChange }: FailOnProps): JSX.Element {
  const set = (part: Partial<FailOnDraft>) => onChange({ ...draft, ...part });
  const area = (key: 'output' | 'missing' | 'stderr' | 'json', label: string, about: string) => (
    <Textarea
      label={label}
      description={about}
      autosize
      minRows={1}
      maxRows={8}
      value={draft[key]}
      error={key === 'json' ? error : undefined}
      onChange={(event) => set({ [key]: event.currentTarget.value })}
    />
  );
  return (
    <fieldset className={styles.rules}>
      <legend>A run also fails when</legend>
      <div className={styles.grid}>
        {area('output', 'Its output has', 'One text a line; * is any text.')}
        {area('missing', 'Its output lacks', 'One text a line.')}
        {area('stderr', 'Its stderr has', 'Of an agent program.')}
        <TextInput
          label="Its exit code is"
          description="All others are fine then."
          placeholder="2, 3"
          value={draft.exit_codes}
          onChange={(event) => set({ exit_codes: event.currentTarget.value })}
        />
        {area('json', 'Its JSON has', 'For example {"is_error": true}.')}
        <NativeSelect
          label="The agent program"
          description="Its own signs of failure count."
          data={[
            { value: '', label: 'Recognized by its name' },
            ...PRESETS.map((value) => ({
              value,
              label: value === 'none' ? 'None of the known ones' : value,
            })),
          ]}
          value={draft.preset}
          onChange={(event) => set({ preset: event.currentTarget.value })}
        />
      </div>
    </fieldset>
  );
}

import { Button, NativeSelect, Textarea, TextInput } from '@mantine/core';
import { type ChangeEvent, type JSX, useState } from 'react';
import type { HeartbeatFiles } from '../../api/contract';
import { ApiError, messageOf } from '../../api/errors';
import { useHeartbeatFiles } from '../../api/queries';
import { useSaveHeartbeatFiles } from '../../api/sessionActions';
import { isZone } from '../../lib/time';
import { countOf } from '../../lib/words';
import { Loaded } from '../../ui/Loaded';
import { Modal } from '../../ui/overlays';
import { parseConfig, valueAt, withValue } from './heartbeatConfig';
import styles from './Sessions.module.css';

interface HeartbeatDialogProps {
  session_id: string;
  name: string;
  onClose: () => void;
}

/** Sets a session's heartbeat up: what it checks, how often, and where reports go. */
export function HeartbeatDialog(props: HeartbeatDialogProps): JSX.Element {
  const { session_id, name, onClose } = props;
  const query = useHeartbeatFiles(session_id);
  return (
    <Modal onClose={onClose} title={`Heartbeat of ${name}`} size="xl">
      <Loaded query={query} what="the heartbeat files" lines={8}>
        {(files) => <Form key={files.version} files={files} onClose={onClose} />}
      </Loaded>
    </Modal>
  );
}

const TRI_STATE = [
  { value: '', label: 'As the gateway is set' },
  { value: 'true', label: 'Yes' },
  { value: 'false', label: 'No' },
];

const MODES = [
  { value: '', label: 'As the gateway is set' },
  { value: 'last', label: 'To the session' },
  { value: 'explicit', label: 'To the sessions named in the JSON' },
  { value: 'none', label: 'To nobody' },
];

function Form({ files, onClose }: { files: HeartbeatFiles; onClose: () => void }): JSX.Element {
  const [checklist, setChecklist] = useState(files.checklist ?? '');
  const [config, setConfig] = useState(files.config ?? '');
  const save = useSaveHeartbeatFiles(files.session_id);
  const parsed = parseConfig(config);
  const text = (path: string) => {
    const value = valueAt(parsed ?? {}, path);
    return typeof value === 'string' || typeof value === 'boolean' ? String(value) : '';
  };
  const set = (path: string, value: string) =>
    setConfig(withValue(config, path, value.trim() === '' ? undefined : value));
  /** A field of the form, bound to its place in the JSON. */
  const bound = (path: string) => ({
    value: text(path),
    onChange: (event: ChangeEvent<HTMLInputElement | HTMLSelectElement>) =>
      set(path, event.currentTarget.value),
  });
  const setFlag = (path: string, value: string) =>
    setConfig(withValue(config, path, value === '' ? undefined : value === 'true'));
  const zone = text('timezone');
  const submit = () =>
    save.mutate(
      {
        version: files.version,
        ...(checklist !== (files.checklist ?? '') && { checklist: checklist || null }),
        ...(config !== (files.config ?? '') && { config: config.trim() === '' ? null : config }),
      },
      { onSuccess: onClose },
    );
  const isChanged = checklist !== (files.checklist ?? '') || config !== (files.config ?? '');
  const { error } = save;
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {[...files.problems, ...(files.config_error === null ? [] : [files.config_error])].map(
        (problem) => (
          <p key={problem} className={styles.error}>
            {problem}
          </p>
        ),
      )}
      <Textarea
        label="Checklist"
        description="HEARTBEAT.md. A line “- [ ] name: `command`” is a check; other text is for an agent."
        autosize
        minRows={6}
        maxRows={18}
        value={checklist}
        onChange={(event) => setChecklist(event.currentTarget.value)}
        classNames={{ input: 'mono' }}
      />
      <Reading files={files} isCurrent={checklist === (files.checklist ?? '')} />
      <fieldset className={styles.fields} disabled={parsed === null}>
        <legend className="sr-only">How it beats</legend>
        <TextInput
          label="Interval"
          placeholder="as the gateway is set"
          description="For example 30m, 2h or 1h30m."
          {...bound('every')}
        />
        <TextInput
          label="Active hours"
          placeholder="always"
          description="For example 08:00-22:00."
          {...bound('active_hours')}
        />
        <TextInput
          label="Zone"
          placeholder="as the gateway is set"
          description="The zone of the active hours."
          {...bound('timezone')}
          error={zone === '' || isZone(zone) ? undefined : 'No such zone'}
        />
        <NativeSelect label="Reports go" data={MODES} {...bound('delivery.mode')} />
        <NativeSelect
          label="Report that all is well"
          data={TRI_STATE}
          value={text('visibility.show_ok')}
          onChange={(event) => setFlag('visibility.show_ok', event.currentTarget.value)}
        />
        <NativeSelect
          label="Report alerts"
          data={TRI_STATE}
          value={text('visibility.show_alerts')}
          onChange={(event) => setFlag('visibility.show_alerts', event.currentTarget.value)}
        />
      </fieldset>
      <details open={parsed === null}>
        <summary className={styles.summaryLine}>All settings as HEARTBEAT.json</summary>
        <Textarea
          aria-label="HEARTBEAT.json"
          autosize
          minRows={4}
          maxRows={16}
          value={config}
          error={parsed === null ? 'This is no JSON object.' : undefined}
          onChange={(event) => setConfig(event.currentTarget.value)}
          classNames={{ input: 'mono' }}
        />
      </details>
      {error && (
        <p className={styles.error} role="alert">
          {messageOf(error)}
          {error instanceof ApiError && error.isConflict && ' Close this and open it again.'}
        </p>
      )}
      <div className={styles.end}>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          type="submit"
          variant="filled"
          loading={save.isPending}
          disabled={!isChanged || parsed === null}
        >
          Save
        </Button>
      </div>
    </form>
  );
}

/** What the gateway makes of the checklist that is saved. */
function Reading({ files, isCurrent }: { files: HeartbeatFiles; isCurrent: boolean }) {
  const { checks, agent_lines, findings } = files;
  if (!isCurrent) return <p className="muted small">Save to see what a beat makes of it.</p>;
  return (
    <div className="small">
      <p className="muted">
        {countOf(checks.length, 'check')}
        {checks.length > 0 && ` (${checks.map((check) => check.name).join(', ')})`},{' '}
        {countOf(agent_lines.length, 'line')} for an agent
      </p>
      {findings.map(({ line, sentence }) => (
        <p key={`${line} ${sentence}`} className={styles.finding}>
          Line {line}: {sentence}
        </p>
      ))}
    </div>
  );
}

import { Button, Switch, Textarea, TextInput } from '@mantine/core';
import { type JSX, useState } from 'react';
import { useCreateJob, useEditJob } from '../../api/actions';
import type { Job } from '../../api/contract';
import { ApiError, messageOf } from '../../api/errors';
import { useJob } from '../../api/queries';
import { closeDialog } from '../../app/dialogs';
import { useZone } from '../../app/zone';
import { isZone } from '../../lib/time';
import { toast } from '../../lib/toasts';
import { Loaded } from '../../ui/Loaded';
import { Modal } from '../../ui/overlays';
import { createFields, type Draft, draftOf, editFields, errorsIn, newDraft } from './draft';
import styles from './JobDialog.module.css';
import { JobPolicyFields } from './JobPolicyFields';
import { SchedulePreview } from './SchedulePreview';

/** Creates a job, or edits one. */
export default function JobDialog({ job_id }: { job_id?: string | undefined }): JSX.Element {
  return (
    <Modal
      onClose={() => closeDialog('job')}
      title={job_id === undefined ? 'Create a job' : 'Edit the job'}
      size="lg"
    >
      {job_id === undefined ? <Form job={null} /> : <Editing jobId={job_id} />}
    </Modal>
  );
}

function Editing({ jobId }: { jobId: string }): JSX.Element {
  const query = useJob(jobId);
  return (
    <Loaded query={query} what="the job" lines={8}>
      {({ job }) => <Form key={job.job_id} job={job} />}
    </Loaded>
  );
}

const EXAMPLES = ['every 30m', 'every weekday at 9am', 'tomorrow 9:15am', '0 7 * * 1-5'];

/** `known` is the job as it was when the dialog opened: a change since then is a conflict. */
function Form({ job: known }: { job: Job | null }): JSX.Element {
  const zone = useZone();
  const [job] = useState(known);
  const [draft, setDraft] = useState<Draft>(() => (job ? draftOf(job) : newDraft(zone)));
  const create = useCreateJob();
  const edit = useEditJob();
  const set = <K extends keyof Draft>(key: K, value: Draft[K]) =>
    setDraft((before) => ({ ...before, [key]: value }));
  const error = create.error ?? edit.error;
  const errorAt = (...fields: string[]) =>
    error instanceof ApiError && fields.includes(error.field ?? '') ? error.message : undefined;
  const close = () => closeDialog('job');
  const submit = () => {
    if (job === null) {
      create.mutate(createFields(draft), { onSuccess: close });
      return;
    }
    const fields = editFields(draft, job);
    if (Object.keys(fields).length === 0) {
      close();
      return;
    }
    edit.mutate(
      { job_id: job.job_id, fields: { ...fields, version: job.version } },
      {
        onSuccess: () => {
          toast(`Saved ${draft.title}`, { tone: 'good' });
          close();
        },
      },
    );
  };
  const hasSchedule = draft.schedule.trim() !== '' && isZone(draft.timezone);
  const errors = errorsIn(draft);
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <TextInput
        label="Title"
        placeholder="Morning brief"
        data-autofocus
        value={draft.title}
        onChange={(event) => set('title', event.currentTarget.value)}
      />
      <Textarea
        label="What to run"
        description="A command, a prompt for the agent, or a URL, depending on the runner."
        autosize
        minRows={2}
        maxRows={8}
        required
        value={draft.command}
        error={errorAt('command')}
        onChange={(event) => set('command', event.currentTarget.value)}
        classNames={{ input: 'mono' }}
      />
      <div className={styles.pair}>
        <TextInput
          label="When"
          description="An interval, a cron line, a time, or words."
          placeholder="every weekday at 9am"
          required
          value={draft.schedule}
          error={errorAt('schedule', 'cron_expr', 'every', 'run_at')}
          onChange={(event) => set('schedule', event.currentTarget.value)}
        />
        <TextInput
          label="Zone"
          description="How its times are read."
          value={draft.timezone}
          error={isZone(draft.timezone) ? errorAt('timezone') : 'No such zone'}
          onChange={(event) => set('timezone', event.currentTarget.value)}
        />
      </div>
      {draft.schedule === '' && (
        <div className={styles.examples}>
          {EXAMPLES.map((text) => (
            <button key={text} type="button" onClick={() => set('schedule', text)}>
              {text}
            </button>
          ))}
        </div>
      )}
      <SchedulePreview
        fields={hasSchedule ? { schedule: draft.schedule.trim(), timezone: draft.timezone } : null}
        hint="Enter when it runs: how that is read and the next slots appear here."
      />
      <JobPolicyFields draft={draft} set={set} errors={errors} isNew={job === null} />
      {error && (
        <p className={styles.error} role="alert">
          {messageOf(error)}
        </p>
      )}
      <div className={styles.actions}>
        <Switch
          label="Enabled"
          checked={draft.enabled}
          onChange={(event) => set('enabled', event.currentTarget.checked)}
        />
        <span className={styles.space} />
        <Button onClick={close}>Cancel</Button>
        <Button
          type="submit"
          variant="filled"
          loading={create.isPending || edit.isPending}
          disabled={draft.command.trim() === '' || !hasSchedule || Object.keys(errors).length > 0}
        >
          {job === null ? 'Create' : 'Save'}
        </Button>
      </div>
    </form>
  );
}

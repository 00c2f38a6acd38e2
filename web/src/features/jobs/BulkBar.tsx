import { Button, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { api, take } from '../../api/client';
import type { Job, JobDraft } from '../../api/contract';
import { messageOf } from '../../api/errors';
import { keyed } from '../../api/actions';
import { keys } from '../../api/keys';
import { countOf } from '../../lib/words';
import { toast } from '../../lib/toasts';
import { Confirm } from '../../ui/Confirm';
import { Modal } from '../../ui/overlays';
import { SelectionBar } from '../../ui/SelectionBar';
import { tagsIn, tagsOf } from './draft';
import { isOn } from './jobState';
import styles from './Jobs.module.css';

/** One request of a bulk action; null where there is nothing to do for that job. */
type Step = (job: Job) => Promise<unknown> | null;

const edit = (job: Job, fields: JobDraft) =>
  take(
    api.PUT('/api/v1/cron/jobs/{job_id}', {
      params: { path: { job_id: job.job_id } },
      body: fields,
    }),
  );

const run: Step = ({ job_id }) =>
  take(
    api.POST('/api/v1/cron/jobs/{job_id}/run', {
      params: { path: { job_id }, header: keyed() },
      body: { wait_seconds: 0 },
    }),
  );
const pause: Step = (job) =>
  isOn(job) ? edit(job, { enabled: false, off_label: 'paused' }) : null;
const resume: Step = (job) => (isOn(job) ? null : edit(job, { enabled: true }));
const remove: Step = ({ job_id }) =>
  take(api.DELETE('/api/v1/cron/jobs/{job_id}', { params: { path: { job_id } } }));
const tagWith =
  (added: readonly string[]): Step =>
  (job) => {
    const tags = [...new Set([...tagsOf(job), ...added])];
    return tags.length === tagsOf(job).length
      ? null
      : edit(job, { metadata: { ...job.metadata, tags } });
  };

/** The failures that are shown one by one. */
const SHOWN_FAILURES = 3;

interface Outcome {
  done: number;
  failures: string[];
}

async function each(jobs: readonly Job[], step: Step): Promise<Outcome> {
  const outcome: Outcome = { done: 0, failures: [] };
  for (const job of jobs) {
    try {
      const request = step(job);
      if (request === null) continue;
      await request;
      outcome.done++;
    } catch (error) {
      outcome.failures.push(`${job.title}: ${messageOf(error)}`);
    }
  }
  return outcome;
}

/** What can be done with the jobs that are selected. */
export function BulkBar({ jobs, onClear }: { jobs: readonly Job[]; onClear: () => void }) {
  const queries = useQueryClient();
  const [asked, setAsked] = useState<'delete' | 'run' | 'tag' | null>(null);
  const bulk = useMutation({
    mutationFn: ({ step }: { step: Step; verb: string }) => each(jobs, step),
    onSuccess: ({ done, failures }, { verb }) => {
      if (done > 0) toast(`${verb} ${countOf(done, 'job')}`, { tone: 'good' });
      else if (failures.length === 0) toast('No job had to be changed');
      for (const failure of failures.slice(0, SHOWN_FAILURES)) toast(failure, { tone: 'bad' });
      const others = failures.length - SHOWN_FAILURES;
      if (others > 0) toast(`${countOf(others, 'other job')} failed too`, { tone: 'bad' });
    },
    onSettled: () => {
      setAsked(null);
      void queries.invalidateQueries({ queryKey: keys.pushed });
    },
  });
  const all = (step: Step, verb: string) => bulk.mutate({ step, verb });
  const close = () => setAsked(null);
  return (
    <SelectionBar count={jobs.length} onClear={onClear}>
      <Button disabled={bulk.isPending} onClick={() => setAsked('run')}>
        Run now…
      </Button>
      <Button disabled={bulk.isPending} onClick={() => all(pause, 'Paused')}>
        Pause
      </Button>
      <Button disabled={bulk.isPending} onClick={() => all(resume, 'Resumed')}>
        Resume
      </Button>
      <Button disabled={bulk.isPending} onClick={() => setAsked('tag')}>
        Add tags…
      </Button>
      <Button disabled={bulk.isPending} onClick={() => setAsked('delete')}>
        Delete…
      </Button>
      {asked === 'run' && (
        <Confirm
          title={`Run ${countOf(jobs.length, 'job')} now?`}
          verb="Run now"
          isBusy={bulk.isPending}
          onClose={close}
          onConfirm={() => all(run, 'Started')}
        >
          Each runs once, in addition to its schedule.
        </Confirm>
      )}
      {asked === 'delete' && (
        <Confirm
          title={`Delete ${countOf(jobs.length, 'job')}?`}
          verb="Delete"
          isBusy={bulk.isPending}
          onClose={close}
          onConfirm={() => all(remove, 'Deleted')}
        >
          They expect no further slots. Their past runs stay in the ledger.
        </Confirm>
      )}
      {asked === 'tag' && (
        <TagDialog
          isBusy={bulk.isPending}
          onClose={close}
          onTags={(tags) => all(tagWith(tags), 'Tagged')}
        />
      )}
    </SelectionBar>
  );
}

interface TagDialogProps {
  isBusy: boolean;
  onTags: (tags: readonly string[]) => void;
  onClose: () => void;
}

function TagDialog({ isBusy, onTags, onClose }: TagDialogProps): JSX.Element {
  const [text, setText] = useState('');
  const tags = tagsIn(text);
  return (
    <Modal onClose={onClose} title="Add tags" size="sm">
      <form
        className={styles.tagForm}
        onSubmit={(event) => {
          event.preventDefault();
          onTags(tags);
        }}
      >
        <TextInput
          label="Tags"
          description="Words between commas. Those that a job has stay."
          data-autofocus
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <div className={styles.tagEnd}>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" loading={isBusy} disabled={tags.length === 0}>
            Add
          </Button>
        </div>
      </form>
    </Modal>
  );
}

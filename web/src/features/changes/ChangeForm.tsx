// Saying a change in words: what it would come to first, the change itself only when confirmed.
import { Button, NativeSelect, Textarea } from '@mantine/core';
import { type JSX, useState } from 'react';
import type { Job, Proposal } from '../../api/contract';
import { ApiError, messageOf } from '../../api/errors';
import { useHeartbeats, useJobs } from '../../api/queries';
import { useZone } from '../../app/zone';
import { toast } from '../../lib/toasts';
import { beatName } from '../overview/freshness';
import styles from './ChangeForm.module.css';
import { ProposalCard } from './ProposalCard';
import { useConfirmProposal, useProposal } from './useChange';

interface ChangeFormProps {
  /** The slot it is about; otherwise it is asked for. */
  event_id?: string;
  title?: string;
  onCancel?: () => void;
  onDone: () => void;
}

/** A job's next slot stands for the job; one that has none is named by its creation. */
const eventOf = (job: Job) =>
  `cron|${job.job_id}|${Math.floor(job.next_run_at ?? job.last_run_at ?? job.created_at)}`;

function useTargets(): { value: string; label: string }[] {
  const { data: jobs } = useJobs();
  const { data: beats } = useHeartbeats();
  const ofJobs = (jobs ?? []).map((job) => ({ value: eventOf(job), label: job.title }));
  const ofBeats = Object.values(beats ?? {}).map((beat) => ({
    value: `heartbeat|${beat.session_id}|${Math.floor(beat.next_run ?? beat.last_run ?? 0)}`,
    label: `Heartbeat of ${beatName(beat)}`,
  }));
  return [...ofJobs, ...ofBeats];
}

/** Says a change in words, shows what it comes to, and makes it only when that is confirmed. */
export function ChangeForm(props: ChangeFormProps): JSX.Element {
  const zone = useZone();
  const targets = useTargets();
  const [picked, setPicked] = useState<string | null>(null);
  const [instruction, setInstruction] = useState('');
  const [proposal, setProposal] = useState<Proposal | null>(null);
  const propose = useProposal();
  const event_id = props.event_id ?? picked ?? targets[0]?.value ?? '';
  const preview = () =>
    propose.mutate(
      { event_id, instruction: instruction.trim(), timezone: zone },
      { onSuccess: (answer) => setProposal(answer.proposal) },
    );
  if (proposal) {
    return (
      <Confirming
        key={proposal.proposal_id}
        proposal={proposal}
        onBack={() => setProposal(null)}
        onAgain={preview}
        isAsking={propose.isPending}
        onDone={() => {
          setProposal(null);
          setInstruction('');
          props.onDone();
        }}
      />
    );
  }
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        preview();
      }}
    >
      {props.event_id === undefined ? (
        <NativeSelect
          label="Of what"
          data={targets}
          value={event_id}
          onChange={(event) => setPicked(event.currentTarget.value)}
        />
      ) : (
        <p>
          Of <b>{props.title}</b>
        </p>
      )}
      <Textarea
        label="What is to change"
        description="For example: skip tomorrow, move it to 10am, at 8:30 on weekdays, not on fridays, pause it until Monday, run it now"
        autosize
        minRows={3}
        data-autofocus
        value={instruction}
        onChange={(event) => setInstruction(event.currentTarget.value)}
      />
      {propose.error && (
        <p className={styles.error} role="alert">
          {messageOf(propose.error)}
        </p>
      )}
      <div className={styles.actions}>
        <span className="muted small">Nothing changes until you confirm the preview.</span>
        {props.onCancel && <Button onClick={props.onCancel}>Cancel</Button>}
        <Button
          type="submit"
          variant="filled"
          loading={propose.isPending}
          disabled={instruction.trim() === '' || event_id === ''}
        >
          Preview
        </Button>
      </div>
    </form>
  );
}

interface ConfirmingProps {
  proposal: Proposal;
  onBack: () => void;
  onAgain: () => void;
  isAsking: boolean;
  onDone: () => void;
}

/** The focus is on the way back: a change is never made by pressing Enter once too often. */
function Confirming(props: ConfirmingProps): JSX.Element {
  const { proposal, onBack, onAgain, isAsking, onDone } = props;
  const { event_id, proposal_id } = proposal;
  const decide = useConfirmProposal();
  const isStale = decide.error instanceof ApiError && decide.error.isConflict;
  const answer = (approve: boolean) =>
    decide.mutate(
      { event_id, proposal_id, approve },
      {
        onSuccess: ({ status }) => {
          toast(status === 'applied' ? 'Changed' : 'Left as it was', {
            tone: status === 'applied' ? 'good' : 'plain',
          });
          onDone();
        },
      },
    );
  return (
    <div className={styles.form}>
      <ProposalCard proposal={proposal} />
      {decide.error && (
        <p className={styles.error} role="alert">
          {isStale
            ? 'The job changed since the preview. Preview it again.'
            : messageOf(decide.error)}
        </p>
      )}
      <div className={styles.actions}>
        <Button onClick={() => answer(false)} disabled={decide.isPending}>
          Reject
        </Button>
        <span className={styles.space} />
        <Button autoFocus onClick={onBack}>
          Back
        </Button>
        {isStale ? (
          <Button variant="filled" loading={isAsking} onClick={onAgain}>
            Preview again
          </Button>
        ) : (
          <Button variant="filled" loading={decide.isPending} onClick={() => answer(true)}>
            Confirm
          </Button>
        )}
      </div>
    </div>
  );
}

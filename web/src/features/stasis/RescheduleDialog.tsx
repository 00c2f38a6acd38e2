import { Button, SegmentedControl, TextInput } from '@mantine/core';
import { type JSX, useState } from 'react';
import { useEventAction } from '../../api/actions';
import { messageOf } from '../../api/errors';
import { useZone } from '../../app/zone';
import { localInput } from '../../lib/time';
import { toast } from '../../lib/toasts';
import { SchedulePreview } from '../jobs/SchedulePreview';
import { Modal } from '../../ui/overlays';
import styles from './RescheduleDialog.module.css';

interface RescheduleDialogProps {
  event_id: string;
  title: string;
  onClose: () => void;
}

const HOUR = 3_600_000;

/** Says when a missed slot is to run instead: by a picker or in words. */
export default function RescheduleDialog(props: RescheduleDialogProps): JSX.Element {
  const { event_id, title, onClose } = props;
  const zone = useZone();
  const [way, setWay] = useState('words');
  const [words, setWords] = useState('in 1 hour');
  const [picked, setPicked] = useState(() => localInput(Date.now() + HOUR, zone));
  const act = useEventAction();
  const run_at = way === 'words' ? words.trim() : picked;
  const submit = () =>
    act.mutate(
      { event_id, body: { action: 'reschedule', run_at, timezone: zone } },
      {
        onSuccess: ({ job }) => {
          const link = job && { label: 'Open', to: `/jobs/${job.job_id}` };
          toast(`Rescheduled ${title}`, { tone: 'good', ...(link && { link }) });
          onClose();
        },
      },
    );
  return (
    <Modal onClose={onClose} title={`Reschedule ${title}`}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <SegmentedControl
          size="xs"
          value={way}
          onChange={setWay}
          aria-label="How to say when"
          data={[
            { value: 'words', label: 'In words' },
            { value: 'picker', label: 'Date and time' },
          ]}
        />
        {way === 'words' ? (
          <TextInput
            label="When"
            description="For example: in 90 minutes, tonight, tomorrow 9:15am, next monday at 7"
            data-autofocus
            value={words}
            onChange={(event) => setWords(event.currentTarget.value)}
          />
        ) : (
          <TextInput
            type="datetime-local"
            label={`When, in ${zone}`}
            value={picked}
            onChange={(event) => setPicked(event.currentTarget.value)}
          />
        )}
        <SchedulePreview
          fields={run_at === '' ? null : { run_at, timezone: zone }}
          hint="Say when it is to run."
        />
        {act.error && (
          <p className={styles.error} role="alert">
            {messageOf(act.error)}
          </p>
        )}
        <div className={styles.actions}>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" loading={act.isPending} disabled={run_at === ''}>
            Reschedule
          </Button>
        </div>
      </form>
    </Modal>
  );
}

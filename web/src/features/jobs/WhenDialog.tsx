import { Button, SegmentedControl, TextInput } from '@mantine/core';
import { type JSX, useState } from 'react';
import { messageOf } from '../../api/errors';
import { useZone } from '../../app/zone';
import { localInput } from '../../lib/time';
import { SchedulePreview } from './SchedulePreview';
import { Modal } from '../../ui/overlays';
import styles from './WhenDialog.module.css';

interface WhenDialogProps {
  title: string;
  /** What the button does. */
  verb: string;
  hint: string;
  isBusy: boolean;
  error: Error | null;
  /** The time as it was put, to be read in the zone. */
  onSubmit: (when: string, zone: string) => void;
  onClose: () => void;
}

const HOUR = 3_600_000;

/** Asks for a time: by a picker or in words. */
export function WhenDialog(props: WhenDialogProps): JSX.Element {
  const { title, verb, hint, isBusy, error, onSubmit, onClose } = props;
  const zone = useZone();
  const [way, setWay] = useState('words');
  const [words, setWords] = useState('in 1 hour');
  const [picked, setPicked] = useState(() => localInput(Date.now() + HOUR, zone));
  const run_at = way === 'words' ? words.trim() : picked;
  return (
    <Modal onClose={onClose} title={title}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit(run_at, zone);
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
        <SchedulePreview fields={run_at === '' ? null : { run_at, timezone: zone }} hint={hint} />
        {error && (
          <p className={styles.error} role="alert">
            {messageOf(error)}
          </p>
        )}
        <div className={styles.actions}>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" loading={isBusy} disabled={run_at === ''}>
            {verb}
          </Button>
        </div>
      </form>
    </Modal>
  );
}

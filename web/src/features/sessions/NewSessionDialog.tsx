import { Button, Textarea, TextInput } from '@mantine/core';
import { type JSX, useState } from 'react';
import { messageOf } from '../../api/errors';
import { useCreateSession } from '../../api/sessionActions';
import { Modal } from '../../ui/overlays';
import styles from './Sessions.module.css';

const EXAMPLE =
  '- [ ] disk: `df --output=pcent / | tail -1 | tr -d " %" | xargs -I% test % -lt 90`';

/** Creates a session: its name, its owner, and what its heartbeat checks. */
export function NewSessionDialog({ onClose }: { onClose: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [owner, setOwner] = useState('default');
  const [checklist, setChecklist] = useState('');
  const create = useCreateSession();
  return (
    <Modal onClose={onClose} title="Create a session" size="lg">
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          const user_id = owner.trim();
          create.mutate({ user_id, name: name.trim(), checklist }, { onSuccess: onClose });
        }}
      >
        <div className={styles.pair}>
          <TextInput
            label="Name"
            description="The folder that it works in. Empty: a folder named by its id."
            placeholder="home-server"
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput
            label="Owner"
            description="Sessions of one owner share nothing with those of another."
            required
            value={owner}
            onChange={(event) => setOwner(event.currentTarget.value)}
          />
        </div>
        <Textarea
          label="Checklist"
          description="HEARTBEAT.md: what each beat checks. It can be changed at any time."
          placeholder={EXAMPLE}
          autosize
          minRows={4}
          maxRows={14}
          value={checklist}
          onChange={(event) => setChecklist(event.currentTarget.value)}
          classNames={{ input: 'mono' }}
        />
        {create.error && (
          <p className={styles.error} role="alert">
            {messageOf(create.error)}
          </p>
        )}
        <div className={styles.end}>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            variant="filled"
            loading={create.isPending}
            disabled={owner.trim() === ''}
          >
            Create
          </Button>
        </div>
      </form>
    </Modal>
  );
}

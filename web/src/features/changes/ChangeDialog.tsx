import type { JSX } from 'react';
import { closeDialog } from '../../app/dialogs';
import { Modal } from '../../ui/overlays';
import { ChangeForm } from './ChangeForm';

interface ChangeDialogProps {
  event_id?: string;
  title?: string;
}

/** Asks for a change from anywhere. */
export default function ChangeDialog({ event_id, title }: ChangeDialogProps): JSX.Element {
  const close = () => closeDialog('change');
  return (
    <Modal onClose={close} title="Request change" size="lg">
      <ChangeForm
        {...(event_id !== undefined && { event_id })}
        {...(title !== undefined && { title })}
        onCancel={close}
        onDone={close}
      />
    </Modal>
  );
}

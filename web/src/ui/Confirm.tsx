import { Button } from '@mantine/core';
import { Modal } from './overlays';
import type { JSX, ReactNode } from 'react';

interface ConfirmProps {
  title: string;
  children: ReactNode;
  /** What it does, as a verb. */
  verb: string;
  isBusy?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. The focus is on the way out. */
export function Confirm(props: ConfirmProps): JSX.Element {
  const { title, children, verb, isBusy = false, onConfirm, onClose } = props;
  return (
    <Modal onClose={onClose} title={title} size="sm">
      <div style={{ marginBottom: 18 }}>{children}</div>
      <div style={{ display: 'flex', gap: 8, justifyContent: 'flex-end' }}>
        <Button onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button variant="filled" loading={isBusy} onClick={onConfirm}>
          {verb}
        </Button>
      </div>
    </Modal>
  );
}

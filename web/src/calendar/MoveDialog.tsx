import type { JSX } from 'react';
import { useSlotException } from '../api/actions';
import { WhenDialog } from '../features/jobs/WhenDialog';

interface MoveDialogProps {
  event_id: string;
  title: string;
  onMoved: () => void;
  onClose: () => void;
}

/** Asks to when a single slot is to be moved. */
export default function MoveDialog(props: MoveDialogProps): JSX.Element {
  const { event_id, title, onMoved, onClose } = props;
  const make = useSlotException();
  const submit = (move_to: string, timezone: string) =>
    make.mutate(
      { event_id, body: { move_to, timezone } },
      {
        onSuccess: () => {
          onMoved();
          onClose();
        },
      },
    );
  return (
    <WhenDialog
      title={`Move ${title}`}
      verb="Move"
      hint="Enter when this one slot is to run instead."
      isBusy={make.isPending}
      error={make.error}
      onSubmit={submit}
      onClose={onClose}
    />
  );
}

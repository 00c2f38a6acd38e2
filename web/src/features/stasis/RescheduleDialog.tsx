import type { JSX } from 'react';
import { useEventAction } from '../../api/actions';
import { toast } from '../../lib/toasts';
import { WhenDialog } from '../jobs/WhenDialog';

interface RescheduleDialogProps {
  event_id: string;
  title: string;
  onClose: () => void;
}

/** Asks when a missed slot is to run instead. */
export default function RescheduleDialog(props: RescheduleDialogProps): JSX.Element {
  const { event_id, title, onClose } = props;
  const act = useEventAction();
  const submit = (run_at: string, timezone: string) =>
    act.mutate(
      { event_id, body: { action: 'reschedule', run_at, timezone } },
      {
        onSuccess: ({ job }) => {
          const link = job && { label: 'Open', to: `/jobs/${job.job_id}` };
          toast(`Rescheduled ${title}`, { tone: 'good', ...(link && { link }) });
          onClose();
        },
      },
    );
  return (
    <WhenDialog
      title={`Reschedule ${title}`}
      verb="Reschedule"
      hint="Enter when it is to run."
      isBusy={act.isPending}
      error={act.error}
      onSubmit={submit}
      onClose={onClose}
    />
  );
}

// Deciding about missed slots, one or a group at a time, told kindly whoever was faster.
import { useRef, useState } from 'react';
import { useEventAction, useUndoDelete } from '../../api/actions';
import { toast } from '../../lib/toasts';

export interface Decisions {
  approve: (eventId: string, title: string) => void;
  remove: (eventId: string, title: string) => void;
  /** Whether a decision about it is on its way. */
  isBusy: (eventId: string) => boolean;
}

export function useDecisions(): Decisions {
  const [busy, setBusy] = useState<ReadonlySet<string>>(new Set());
  // Two clicks may come before the first one is drawn.
  const begun = useRef(new Set<string>());
  const act = useEventAction();
  const undo = useUndoDelete();

  const during = async (eventId: string, work: () => Promise<void>) => {
    begun.current.add(eventId);
    setBusy((ids) => new Set(ids).add(eventId));
    try {
      await work();
    } catch {
      // The action has told what went wrong.
    } finally {
      begun.current.delete(eventId);
      setBusy((ids) => new Set([...ids].filter((id) => id !== eventId)));
    }
  };

  return {
    isBusy: (eventId) => busy.has(eventId),
    approve(eventId, title) {
      if (begun.current.has(eventId)) return;
      const body = { action: 'approve_backfill_run' };
      void during(eventId, () =>
        act.mutateAsync({ event_id: eventId, body }).then(({ run }) => {
          const link = run && {
            label: 'Show run',
            to: `/jobs/${run.job_id}?run=${run.run_id}`,
          };
          toast(`Running ${title}`, { tone: 'good', ...(link && { link }) });
        }),
      );
    },
    remove(eventId, title) {
      if (begun.current.has(eventId)) return;
      const body = { action: 'delete_missed' };
      void during(eventId, () =>
        act.mutateAsync({ event_id: eventId, body }).then(() => {
          const action = { label: 'Undo', run: () => undo.mutate(eventId) };
          toast(`Deleted ${title} from stasis`, { action });
        }),
      );
    },
  };
}

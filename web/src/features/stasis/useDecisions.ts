// Deciding about missed slots, one or a group at a time, told kindly whoever was faster.
import { useRef, useState } from 'react';
import { useEventAction, useUndoDelete } from '../../api/actions';
import type { ActionAnswer } from '../../api/contract';
import { toast } from '../../lib/toasts';

export interface Decisions {
  approve: (eventId: string, title: string) => void;
  remove: (eventId: string, title: string) => void;
  /** Whether a decision about it is on its way, or was made. */
  isBusy: (eventId: string) => boolean;
}

export function useDecisions(): Decisions {
  const [busy, setBusy] = useState<ReadonlySet<string>>(new Set());
  // Two clicks may come before the first one is drawn.
  const begun = useRef(new Set<string>());
  const act = useEventAction();
  const undo = useUndoDelete();

  const release = (eventId: string) => {
    begun.current.delete(eventId);
    setBusy(new Set(begun.current));
  };

  /** What is decided stays busy until its row goes: a click in between must not decide again. */
  const decide = async (eventId: string, action: string, told: (answer: ActionAnswer) => void) => {
    if (begun.current.has(eventId)) return;
    begun.current.add(eventId);
    setBusy(new Set(begun.current));
    try {
      told(await act.mutateAsync({ event_id: eventId, body: { action } }));
    } catch {
      // The action has told what went wrong.
      release(eventId);
    }
  };

  return {
    isBusy: (eventId) => busy.has(eventId),
    approve(eventId, title) {
      void decide(eventId, 'approve_backfill_run', ({ run }) => {
        const link = run && { label: 'Show run', to: `/jobs/${run.job_id}?run=${run.run_id}` };
        toast(`Running ${title}`, { tone: 'good', ...(link && { link }) });
      });
    },
    remove(eventId, title) {
      void decide(eventId, 'delete_missed', () => {
        const run = () => {
          release(eventId);
          undo.mutate(eventId);
        };
        toast(`Deleted ${title} from stasis`, { action: { label: 'Undo', run } });
      });
    },
  };
}

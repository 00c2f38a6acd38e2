import { Button } from '@mantine/core';
import { type JSX, lazy, type ReactNode, Suspense, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useEventAction, useSlotException, useUndoException } from '../api/actions';
import type { CalendarEvent } from '../api/contract';
import { openDialog } from '../app/dialogs';
import { useDecisions } from '../features/stasis/useDecisions';
import { useNow } from '../lib/now';
import { maybeInstant } from '../lib/time';
import { toast } from '../lib/toasts';
import styles from './EventDrawer.module.css';
import { slotAt } from './words';

const RescheduleDialog = lazy(() => import('../features/stasis/RescheduleDialog'));
const MoveDialog = lazy(() => import('./MoveDialog'));

/** What a person has decided about a slot that is to come. */
function decisionOf(event: CalendarEvent, now: number): 'skipped' | 'moved' | null {
  const to = maybeInstant(event.moved_to_utc);
  if (to !== null && to > now) return 'moved';
  const isSkipped = event.status === 'disabled' && event.reason === 'operator';
  return isSkipped && slotAt(event) > now ? 'skipped' : null;
}

interface EventActionsProps {
  event: CalendarEvent;
  onClose: () => void;
}

/** What can be done with a slot and with its job. */
export function EventActions({ event, onClose }: EventActionsProps): JSX.Element {
  const { event_id, title, actions, source_ref } = event;
  const [asked, setAsked] = useState<'reschedule' | 'move' | null>(null);
  const decisions = useDecisions();
  const act = useEventAction();
  const navigate = useNavigate();
  const can = (action: string) => actions.includes(action);
  const does = (action: string, done: string) => () =>
    act.mutate({ event_id, body: { action } }, { onSuccess: () => toast(done, { tone: 'good' }) });
  const button = (action: string, label: ReactNode, onClick: () => void) =>
    can(action) && (
      <Button onClick={onClick} disabled={act.isPending}>
        {label}
      </Button>
    );
  return (
    <div className={styles.actions}>
      {can('approve_backfill_run') && (
        <Button
          variant="filled"
          loading={decisions.isBusy(event_id)}
          onClick={() => decisions.approve(event_id, title)}
        >
          Approve & Run
        </Button>
      )}
      {button('reschedule', 'Reschedule…', () => setAsked('reschedule'))}
      {button('delete_missed', 'Delete', () => {
        decisions.remove(event_id, title);
        onClose();
      })}
      <SlotActions event={event} onMove={() => setAsked('move')} />
      {button('run_now', 'Run now', does('run_now', `Running ${title}`))}
      {button('pause', 'Pause the job', does('pause', `Paused ${title}`))}
      {button('resume', 'Resume the job', does('resume', `Resumed ${title}`))}
      {button('open_logs', 'Logs', () => {
        void navigate(event.run_id == null ? '/logs' : `/logs?run=${event.run_id}`);
      })}
      {button(
        'open_session',
        'Session',
        () => void navigate(`/sessions?id=${event.session_id ?? ''}`),
      )}
      <Button onClick={() => openDialog({ name: 'change', event_id, title })}>
        Request change…
      </Button>
      {event.source === 'cron' && <Link to={`/jobs/${source_ref}`}>Open the job</Link>}
      <Suspense>
        {asked === 'reschedule' && (
          <RescheduleDialog event_id={event_id} title={title} onClose={() => setAsked(null)} />
        )}
        {asked === 'move' && (
          <MoveDialog
            event_id={event_id}
            title={title}
            onMoved={() => toast(`Moved this slot of ${title}`, { tone: 'good' })}
            onClose={() => setAsked(null)}
          />
        )}
      </Suspense>
    </div>
  );
}

interface SlotActionsProps {
  event: CalendarEvent;
  onMove: () => void;
}

/** Skip, move and run early, for a slot that is to come; and their undo. */
function SlotActions({ event, onMove }: SlotActionsProps): JSX.Element | null {
  const { event_id, title } = event;
  const now = useNow('second');
  const make = useSlotException();
  const undo = useUndoException();
  const decided = decisionOf(event, now);
  if (decided !== null) {
    return (
      <Button loading={undo.isPending} onClick={() => undo.mutate(event_id)}>
        {decided === 'skipped' ? 'Take the skip back' : 'Move it back'}
      </Button>
    );
  }
  if (event.status !== 'scheduled' || slotAt(event) <= now) return null;
  const takeBack = { label: 'Undo', run: () => undo.mutate(event_id) };
  const skip = () =>
    make.mutate(
      { event_id, body: { skip: true } },
      { onSuccess: () => toast(`Skipped this slot of ${title}`, { action: takeBack }) },
    );
  const runEarly = () =>
    make.mutate(
      { event_id, body: { run_early: true } },
      { onSuccess: () => toast(`Running ${title} ahead of its time`, { tone: 'good' }) },
    );
  return (
    <>
      <Button disabled={make.isPending} onClick={skip}>
        Skip
      </Button>
      <Button disabled={make.isPending} onClick={onMove}>
        Move…
      </Button>
      <Button disabled={make.isPending} onClick={runEarly}>
        Run early
      </Button>
    </>
  );
}
